//! Generates a program from a seed.

use super::program::{
    Channel, Deed, Driver, Kind, Leaf, Life, Limit, Lock, Payload, Program, Script, Step, Via,
};

/// Scripts nest to this depth.
const DEPTH: usize = 4;
/// The approximate number of steps of a program.
const STEPS: usize = 60;

/// SplitMix64, by Steele, Lea and Flood.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// The position of a script.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// It may never be polled again: it must hold nothing that other tasks wait for.
    is_alone: bool,
    /// `FuturesUnordered` leaks the futures behind one whose destructor panics.
    in_unordered: bool,
}

struct Generator {
    random: Random,
    steps_left: usize,
}

pub fn program(seed: u64) -> Program {
    let mut generator = Generator { random: Random::new(seed), steps_left: STEPS };
    let loops = (0..=generator.random.below(3)).map(|_| generator.life()).collect();
    Program { loops }
}

impl Generator {
    fn life(&mut self) -> Life {
        let drivers = [Driver::BlockOn, Driver::Runtime, Driver::Turn, Driver::TurnAndWait];
        let driver = self.random.pick(&drivers);
        let place = Place { depth: 0, is_alone: false, in_unordered: false };
        self.steps_left = self.steps_left.max(STEPS / 4);
        Life { driver, root: self.script(place) }
    }

    fn script(&mut self, place: Place) -> Script {
        let most = if place.depth == 0 { 9 } else { 5 };
        let len = 1 + self.random.below(most);
        (0..len).map_while(|_| self.step(place)).collect()
    }

    fn deeper(&mut self, place: Place) -> Script {
        self.script(Place { depth: place.depth + 1, ..place })
    }

    /// The script of a new task, which may inherit the task-local.
    fn task(&mut self, place: Place) -> Script {
        self.deeper(Place { in_unordered: false, ..place })
    }

    fn branches(&mut self, place: Place) -> Vec<Script> {
        (0..1 + self.random.below(4)).map(|_| self.deeper(place)).collect()
    }

    fn step(&mut self, place: Place) -> Option<Step> {
        self.steps_left = self.steps_left.checked_sub(1)?;
        if place.depth >= DEPTH {
            return Some(self.small(place));
        }
        Some(match self.random.below(44) {
            0..=3 => Step::Spawn(self.kind(), self.task(place)),
            4..=6 => Step::Spawn(Kind::Child, self.deeper(place)),
            7..=8 => Step::Scope(self.deeper(place)),
            9..=10 => Step::TryScope(self.deeper(place)),
            11 => Step::Gather(self.branches(place)),
            12 => Step::TryGather(self.branches(place)),
            13..=14 => {
                let limit = self.random.pick(&[Limit::Timeout, Limit::TimeoutAt, Limit::Scope]);
                Step::Limit(limit, self.duration(), self.deeper(place))
            }
            15 => Step::Join(self.branches(place)),
            16 => Step::Unordered(self.branches(Place { in_unordered: true, ..place })),
            17 => Step::Select(self.deeper(place), self.deeper(place)),
            18 if self.random.one_in(6) => {
                let place = Place { depth: DEPTH, ..place };
                Step::Tower(1 + self.random.below(160), self.script(place))
            }
            19 if self.random.one_in(6) => {
                Step::Crowd(1 + self.random.below(300), self.random.below(3))
            }
            20..=21 if !place.is_alone => Step::Lock(self.lock(), self.deeper(place)),
            22 => Step::Local(self.deeper(place)),
            23 => {
                let place = Place { is_alone: true, ..place };
                Step::Turns(self.random.below(4), self.task(place))
            }
            24..=25 => Step::Leave(self.left(Place { is_alone: true, ..place })),
            26 => Step::Guard(self.deed(place)),
            _ => self.small(place),
        })
    }

    /// Returns a script to leave behind: half of the time a scope with a waiting child.
    fn left(&mut self, place: Place) -> Script {
        if self.random.one_in(2) {
            return self.deeper(place);
        }
        let mut child = self.deeper(Place { depth: DEPTH, ..place });
        child.push(Step::WaitGate(self.random.below(8)));
        vec![Step::Scope(vec![Step::Spawn(Kind::Child, child)])]
    }

    /// Returns a step without an inner script.
    fn small(&mut self, place: Place) -> Step {
        let number = self.random.below(8);
        match self.random.below(44) {
            0..=3 => Step::Yield,
            4..=5 => Step::Sleep(self.duration()),
            6..=7 => Step::Busy(self.leaf(), self.random.below(300)),
            8..=9 => Step::Spin(self.leaf()),
            10..=12 => Step::Await(number),
            13..=14 => Step::Abort(number),
            15 => Step::Cancel(number),
            16 => Step::DropHandle(number),
            17 => Step::AbortOnDrop(number),
            18..=19 => Step::JoinNext(number),
            20 => Step::AbortSet(number),
            21 => Step::DropSet(number),
            22 => Step::DetachSet(number),
            23..=24 if !place.is_alone => Step::Send(self.channel()),
            25..=26 if !place.is_alone => Step::Receive(self.channel()),
            27..=28 => Step::WaitGate(number),
            29..=31 => {
                let ways =
                    [Via::Here, Via::CallSoon, Via::CallLater, Via::Thread, Via::CallThreadsafe];
                Step::OpenGate(number, self.random.pick(&ways))
            }
            32 => Step::WakeFromThread,
            33 => Step::CancelScope,
            34 => Step::Fail,
            35 => Step::Panic(self.payload()),
            36 => Step::Guard(self.deed(Place { depth: DEPTH, ..place })),
            37 => {
                let panics = self.random.one_in(2);
                Step::LeaveForeign(if panics { Payload::PanicsInDrop } else { Payload::Plain })
            }
            38..=40 => Step::DropLeft(number),
            41..=42 => Step::CallTwice,
            _ => Step::Yield,
        }
    }

    fn deed(&mut self, place: Place) -> Deed {
        let number = self.random.below(8);
        match self.random.below(8) {
            0..=1 => Deed::Spawn(self.task(place)),
            2 => Deed::Abort(number),
            3 => Deed::OpenGate(number),
            4 => Deed::DropHandle(number),
            5 => Deed::TryLock,
            _ if place.in_unordered => Deed::TryLock,
            _ => Deed::Panic(self.payload()),
        }
    }

    fn duration(&mut self) -> u64 {
        self.random.pick(&[0, 0, 1, 1, 2, 3, 60_000])
    }

    fn payload(&mut self) -> Payload {
        let panics = self.random.one_in(3);
        if panics { Payload::PanicsInDrop } else { Payload::Plain }
    }

    fn leaf(&mut self) -> Leaf {
        let final_states = [
            Leaf::ClosedWatch,
            Leaf::ClosedOneshot,
            Leaf::ClosedMpsc,
            Leaf::FilledCell,
            Leaf::ZeroLimit,
            Leaf::EmptySet,
            Leaf::EmptyScope,
        ];
        match self.random.one_in(2) {
            true => self.random.pick(&final_states),
            false => self.random.pick(&[Leaf::Semaphore, Leaf::Queue, Leaf::Mpsc]),
        }
    }

    fn kind(&mut self) -> Kind {
        let set = self.random.below(2);
        self.random.pick(&[
            Kind::Task,
            Kind::Task,
            Kind::Eager,
            Kind::Eager,
            Kind::Heir,
            Kind::Member(set),
            Kind::Member(set),
            Kind::Remote,
        ])
    }

    fn lock(&mut self) -> Lock {
        let all = [Lock::Mutex, Lock::Semaphore, Lock::Read, Lock::Write, Lock::Reentrant];
        self.random.pick(&all)
    }

    fn channel(&mut self) -> Channel {
        self.random.pick(&[
            Channel::Bounded,
            Channel::Unbounded,
            Channel::Queue,
            Channel::Broadcast,
            Channel::Watch,
            Channel::Oneshot,
            Channel::Thread,
            Channel::FromThread,
        ])
    }
}
