//! A random program: its event loops, one by one, and the scripts of their tasks.

/// The steps of one future, one by one.
pub type Script = Vec<Step>;

#[derive(Clone, Debug)]
pub struct Program {
    pub loops: Vec<Life>,
}

/// One loop: its driver, and the script of its first task.
#[derive(Clone, Debug)]
pub struct Life {
    pub driver: Driver,
    pub root: Script,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Driver {
    /// The free function `block_on`.
    BlockOn,
    /// `Runtime::block_on`.
    Runtime,
    /// `Runtime::turn` without waiting, until the first task has ended.
    Turn,
    /// `Runtime::turn` that waits up to a millisecond.
    TurnAndWait,
}

/// A number names an object of the world: a handle, a gate, a set. It is taken modulo the number of
/// these objects. Durations are milliseconds.
#[derive(Clone, Debug)]
pub enum Step {
    Yield,
    Sleep(u64),
    /// Takes that many results that are ready at once; each spends budget.
    Busy(Leaf, usize),
    /// Takes results that are ready at once until the program is released.
    Spin(Leaf),
    Spawn(Kind, Script),
    Scope(Script),
    TryScope(Script),
    CancelScope,
    Gather(Vec<Script>),
    TryGather(Vec<Script>),
    Limit(Limit, u64, Script),
    Join(Vec<Script>),
    Unordered(Vec<Script>),
    Select(Script, Script),
    /// That many scopes, one inside the other.
    Tower(usize, Script),
    /// A scope with that many children, which each yield and take that many ready results.
    Crowd(usize, usize),
    Await(usize),
    Abort(usize),
    Cancel(usize),
    DropHandle(usize),
    AbortOnDrop(usize),
    JoinNext(usize),
    AbortSet(usize),
    DropSet(usize),
    DetachSet(usize),
    Send(Channel),
    Receive(Channel),
    Lock(Lock, Script),
    WaitGate(usize),
    OpenGate(usize, Via),
    /// A callback calls `call_soon`: the scheduled function runs in a later turn.
    CallTwice,
    /// Another thread wakes this task.
    WakeFromThread,
    /// Inside a value of the task-local.
    Local(Script),
    /// A task in a new runtime, which runs that many turns inside this task.
    Turns(usize, Script),
    /// An error: the script ends; in a child of `try_scope`, the scope too.
    Fail,
    Panic(Payload),
    /// Its destructor runs when the script ends or is dropped.
    Guard(Deed),
    /// A future that is polled once and stored, for another task or another loop to drop.
    Leave(Script),
    /// A stored sleep that was polled with a waker of the test.
    LeaveForeign(Payload),
    DropLeft(usize),
}

/// A leaf that is ready at once.
#[derive(Clone, Copy, Debug)]
pub enum Leaf {
    Semaphore,
    Queue,
    Mpsc,
    /// These are in a final state, and so always ready.
    ClosedWatch,
    ClosedOneshot,
    ClosedMpsc,
    FilledCell,
    ZeroLimit,
    EmptySet,
    EmptyScope,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Task,
    Eager,
    /// A task with the task-local of its spawner.
    Heir,
    /// A child of the innermost scope; a task if there is none.
    Child,
    Member(usize),
    /// `Handle::spawn` on another thread.
    Remote,
}

#[derive(Clone, Copy, Debug)]
pub enum Limit {
    Timeout,
    TimeoutAt,
    Scope,
}

#[derive(Clone, Copy, Debug)]
pub enum Channel {
    Bounded,
    Unbounded,
    Queue,
    Broadcast,
    Watch,
    Oneshot,
    /// `thread_channel`, sent to from this thread.
    Thread,
    /// The same channel, sent to from another thread.
    FromThread,
}

#[derive(Clone, Copy, Debug)]
pub enum Lock {
    Mutex,
    Semaphore,
    Read,
    Write,
    Reentrant,
}

/// The code that opens a gate.
#[derive(Clone, Copy, Debug)]
pub enum Via {
    Here,
    CallSoon,
    CallLater,
    Thread,
    CallThreadsafe,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Payload {
    Plain,
    /// A payload whose destructor panics with a plain one.
    PanicsInDrop,
}

/// The action of a destructor.
#[derive(Clone, Debug)]
pub enum Deed {
    Spawn(Script),
    Abort(usize),
    OpenGate(usize),
    DropHandle(usize),
    TryLock,
    Panic(Payload),
}

impl Step {
    /// Returns the scripts inside this step.
    pub fn scripts_mut(&mut self) -> Vec<&mut Script> {
        match self {
            Step::Spawn(_, script)
            | Step::Scope(script)
            | Step::TryScope(script)
            | Step::Limit(_, _, script)
            | Step::Tower(_, script)
            | Step::Lock(_, script)
            | Step::Local(script)
            | Step::Turns(_, script)
            | Step::Guard(Deed::Spawn(script))
            | Step::Leave(script) => vec![script],
            Step::Gather(scripts)
            | Step::TryGather(scripts)
            | Step::Join(scripts)
            | Step::Unordered(scripts) => scripts.iter_mut().collect(),
            Step::Select(first, second) => vec![first, second],
            _ => Vec::new(),
        }
    }
}
