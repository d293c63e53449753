//! Every name of the public API: the items of each module, the variants of the enums, and each
//! method that has no type parameter of its own, by its path. Code outside the crate compiles
//! against them. `parity.rs` calls the other methods.
#![cfg(all(target_os = "linux", feature = "fs", feature = "streams"))]
#![allow(dead_code, unused_imports)]

mod root_items {
    #[cfg(feature = "process")]
    use evloop::process;
    #[cfg(feature = "signal")]
    use evloop::signal;
    use evloop::{
        Handle, JoinHandle, Runtime, Server, StreamReader, StreamWriter, block_on, call_at,
        call_later, call_soon, coroutine, debug, fs, guide, io, join, net, open_connection,
        open_unix_connection, queue, random, runtime, select, shards, spawn, start_server,
        start_unix_server, streams, sync, task, task_local, time, try_join,
    };
    #[cfg(feature = "macros")]
    use evloop::{main, test};
}

mod coroutine_items {
    use evloop::coroutine::{Co, Coroutine, CoroutineStream, Step, Yield, stream};
    mod step_variants {
        use evloop::coroutine::Step::{Returned, Yielded};
    }
}

mod debug_items {
    use evloop::debug::{WaitsOn, dump};
    mod waits_on_variants {
        use evloop::debug::WaitsOn::{Child, Lock, Read, Task, Timer, Write};
    }
}

mod fs_items {
    use evloop::fs::{
        DirBuilder, DirEntry, File, FileTimes, FileType, Metadata, OpenOptions, Permissions,
        ReadDir, canonicalize, copy, create_dir, create_dir_all, hard_link, metadata, read,
        read_dir, read_link, read_to_string, remove_dir, remove_dir_all, remove_file, rename,
        set_permissions, symlink, symlink_metadata, try_exists, write,
    };
}

mod io_items {
    use evloop::io::{
        AsyncFd, Chunks, DuplexStream, FdCallback, Interest, Join, Output, SimplexReader,
        SimplexWriter, Stdin, SyncIoBridge, add_reader, add_writer, chunks, copy,
        copy_bidirectional, copy_bidirectional_with_sizes, copy_buf, duplex, join, raw_os_error,
        simplex, stderr, stdin, stdout, sync_bridge,
    };
}

mod net_items {
    use evloop::net::{
        BindOptions, ConnectError, ConnectOptions, Connection, DatagramSocket, Incoming,
        IntoIncoming, ListenOptions, Listener, OwnedReadHalf, OwnedWriteHalf, PeerCred, Protocol,
        ReuniteError, Tcp, TcpListener, TcpSocket, TcpStream, ToAddrs, Transport, Truncated, Udp,
        UdpSocket, Unix, UnixDatagram, UnixListener, UnixSocket, UnixStream, lookup_host, pipe,
        sendfile,
    };
    #[cfg(feature = "lookup-addr")]
    use evloop::net::{NamedAddr, lookup_addr};
    mod pipe_items {
        use evloop::net::pipe::{OpenOptions, Receiver, Sender, pair};
    }
}

#[cfg(feature = "process")]
mod process_items {
    use evloop::process::{
        Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitError, ExitStatus, Output, Pool,
        PoolBuilder, PoolError, Stdio, worker,
    };
    mod pool_error_variants {
        use evloop::process::PoolError::{Broken, Closed, Io, Panicked};
    }
}

mod queue_items {
    use evloop::queue::{
        AnyQueue, LifoQueue, Permit, PriorityQueue, PutError, Queue, QueueClosed, QueueEmpty,
        QueueFull, QueueStream, TryGetError, TryPutError,
    };
    mod try_get_error_variants {
        use evloop::queue::TryGetError::{Closed, Empty};
    }
    mod try_put_error_variants {
        use evloop::queue::TryPutError::{Closed, Full};
    }
}

mod runtime_items {
    use evloop::runtime::{
        Builder, CallHandle, EnterGuard, Handle, HostedTurn, Id, Instrument, Metrics, RemoteHandle,
        Runtime, StillRunning, Turn, block_on, call_at, call_later, call_soon,
    };
}

#[cfg(feature = "rustls")]
mod rustls_items {
    use evloop::rustls::{TlsAcceptor, TlsConnector, TlsInfo, pki_types, rustls};
}

mod random_items {
    use evloop::random::{fill, range, shuffle, u64};
}

mod shards_items {
    use evloop::shards::{Mailbox, Shard, shards, try_shards};
}

#[cfg(feature = "signal")]
mod signal_items {
    use evloop::signal::{Interrupted, Listener, Listeners, SignalKind, ctrl_c, unix, unix_many};
}

#[cfg(feature = "sim")]
mod sim_items {
    use evloop::sim::{
        Client, Host, HostClock, Latency, Order, Sim, Trace, World, check, check_in_turn, note, run,
    };
    mod latency_variants {
        use evloop::sim::Latency::{Exponential, Fixed, Uniform};
    }
    mod order_variants {
        use evloop::sim::Order::{Fifo, Seeded};
    }
}

mod streams_items {
    use evloop::streams::{
        AsyncReader, AsyncWriter, Feeder, FrameFormat, FrameTooLong, HandlerOutput, IncompleteRead,
        IoStream, LimitOverrun, Lines, Server, ServerOptions, StreamOptions, StreamReader,
        StreamSocket, StreamWriter, from_io, from_io_with, from_pipe, from_tcp, from_unix,
        memory_reader, open_connection, open_connection_with, open_unix_connection,
        open_unix_connection_with, serve_listeners, serve_unix_listeners, start_server,
        start_server_with, start_unix_server, start_unix_server_with,
    };
    #[cfg(feature = "rustls")]
    use evloop::streams::{
        open_connection_tls, open_connection_tls_with, start_server_tls, start_server_tls_with,
        start_tls, start_tls_server, start_tls_server_with, start_tls_with,
    };
    mod stream_socket_variants {
        use evloop::streams::StreamSocket::{Io, Pipe, Tcp, Unix};
    }
}

mod sync_items {
    use evloop::sync::{
        AcquireError, AddPermitsError, AlreadyBorrowed, Barrier, BarrierWaitResult, BrokenBarrier,
        CancellationToken, CapacityLimiter, CapacityToken, Condvar, DropGuard, Event, MappedGuard,
        MappedMutexGuard, Mutex, MutexGuard, NeverSet, Notified, Notify, OnceCell, OwnedMutexGuard,
        OwnedNotified, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock,
        RwLockMappedWriteGuard, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
        Semaphore, SemaphorePermit, SetError, Shared, SharedSetter, TryAcquireError,
        TryBorrowError, TryLockError, broadcast, mpsc, oneshot, thread_channel, watch,
    };
    mod set_error_variants {
        use evloop::sync::SetError::{AlreadySet, Initializing};
    }
    mod try_acquire_error_variants {
        use evloop::sync::TryAcquireError::{Closed, NoPermits};
    }
    mod try_borrow_error_variants {
        use evloop::sync::TryBorrowError::{AlreadyBorrowed, NoTokens};
    }
    mod broadcast_items {
        use evloop::sync::broadcast::{
            Receiver, RecvError, SendError, Sender, TryRecvError, WeakSender, channel,
        };
    }
    mod broadcast_recv_error_variants {
        use evloop::sync::broadcast::RecvError::{Closed, Lagged};
    }
    mod broadcast_try_recv_error_variants {
        use evloop::sync::broadcast::TryRecvError::{Closed, Empty, Lagged};
    }
    mod mpsc_items {
        use evloop::sync::mpsc::{
            OwnedPermit, Permit, PermitIterator, Receiver, SendError, SendTimeoutError, Sender,
            TryRecvError, TrySendError, UnboundedSender, WeakSender, WeakUnboundedSender, bounded,
            unbounded,
        };
    }
    mod mpsc_send_timeout_error_variants {
        use evloop::sync::mpsc::SendTimeoutError::{Closed, Timeout};
    }
    mod mpsc_try_recv_error_variants {
        use evloop::sync::mpsc::TryRecvError::{Closed, Empty};
    }
    mod mpsc_try_send_error_variants {
        use evloop::sync::mpsc::TrySendError::{Closed, Full};
    }
    mod oneshot_items {
        use evloop::sync::oneshot::{Receiver, RecvError, Sender, TryRecvError, channel};
    }
    mod oneshot_try_recv_error_variants {
        use evloop::sync::oneshot::TryRecvError::{Closed, Empty};
    }
    mod thread_channel_items {
        use evloop::sync::thread_channel::{
            OwnedPermit, Permit, PermitIterator, Receiver, SendError, SendTimeoutError, Sender,
            TryRecvError, TrySendError, UnboundedSender, WeakSender, WeakUnboundedSender, bounded,
            unbounded,
        };
    }
    mod thread_channel_send_timeout_error_variants {
        use evloop::sync::thread_channel::SendTimeoutError::{Closed, Timeout};
    }
    mod thread_channel_try_recv_error_variants {
        use evloop::sync::thread_channel::TryRecvError::{Closed, Empty};
    }
    mod thread_channel_try_send_error_variants {
        use evloop::sync::thread_channel::TrySendError::{Closed, Full};
    }
    mod watch_items {
        use evloop::sync::watch::{Receiver, RecvError, Ref, SendError, Sender, channel};
    }
}

mod task_items {
    use evloop::task::{
        AbortHandle, BlockingHandle, BlockingPool, BlockingPoolBuilder, Builder, Cancel,
        EndCallback, GroupError, JoinError, JoinHandle, JoinMap, JoinQueue, JoinSet, LocalKey,
        NotStarted, OutOfScope, Proceed, ReentrantMutex, ReentrantMutexGuard, ReturnWhen, Scope,
        ScopedHandle, Shielded, Start, Started, TaskEnd, TaskId, TaskInfo, TaskOutput, TaskState,
        TaskTracker, TaskTrackerToken, TryScope, UntilIdle, WaitsFor, YieldNow, all,
        blocking_is_cancelled, buffer_unordered, buffered, consume_budget, cooperative, current,
        gather, gather_limit, has_budget_remaining, poll_proceed, race, report_error, scope,
        shield, shielded, spawn, spawn_blocking, spawn_later, try_gather, try_gather_limit,
        try_scope, unconstrained, until_idle, wait, yield_now,
    };
    mod not_started_variants {
        use evloop::task::NotStarted::{Ended, Failed};
    }
    mod return_when_variants {
        use evloop::task::ReturnWhen::{All, Count, FirstCompleted, FirstException};
    }
    mod task_end_variants {
        use evloop::task::TaskEnd::{Cancelled, Panicked, Returned};
    }
    mod task_state_variants {
        use evloop::task::TaskState::{Ended, Ready, Running, Waiting};
    }
    mod waits_for_variants {
        use evloop::task::WaitsFor::{Channel, Event, Io, Lock, Task, Thread, Time};
    }
}

mod time_items {
    use evloop::time::{
        Delay, DelayQueue, Elapsed, Expired, Interval, MissedTick, Sleep, TimeoutScope,
        current_deadline, interval, interval_at, now, sleep, sleep_until, timeout, timeout_at,
        timeout_scope, timeout_scope_at,
    };
    mod missed_tick_variants {
        use evloop::time::MissedTick::{Burst, Delay, Skip};
    }
}

#[cfg(feature = "tokio")]
mod tokio_items {
    use evloop::tokio::Helper;
    #[cfg(not(mio_unsupported_force_poll_poll))]
    use evloop::tokio::block_on;
}

/// Has the methods of each type named.
macro_rules! methods {
    ($name:ident: $($of:ty { $($method:ident)+ })+) => {
        fn $name() {
            $($(let _ = <$of>::$method;)+)+
        }
    };
}

methods! {
    coroutine_methods:
    evloop::coroutine::Co<u8, u8> { yield_ }
    evloop::coroutine::Coroutine<'_, u8, u8, u8> {
        close is_finished is_suspended next send take_returned
    }
    evloop::coroutine::CoroutineStream<'_, u8> { next }
    evloop::coroutine::Step<u8, u8> { returned yielded }
}

methods! {
    fs_methods:
    evloop::fs::DirBuilder { mode new recursive }
    evloop::fs::DirEntry { file_name file_type ino metadata path }
    evloop::fs::File {
        flush from_std into_std max_buf_size metadata options read read_exact rewind seek set_len
        set_max_buf_size set_modified set_permissions set_times stream_position sync_all sync_data
        try_clone try_into_std write write_all write_vectored
    }
    evloop::fs::OpenOptions { append create create_new custom_flags mode new read truncate write }
    evloop::fs::ReadDir { next_entry }
}

methods! {
    io_methods:
    evloop::io::AsyncFd<std::os::fd::OwnedFd> {
        get_ref into_inner new poll_read_ready poll_write_ready readable ready with_interest
        writable
    }
    evloop::io::Chunks<&[u8]> { into_inner next }
    evloop::io::FdCallback { detach }
    evloop::io::Interest { add contains is_error is_priority is_readable is_writable remove }
    evloop::io::Join<u8, u8> { into_inner reader reader_mut writer writer_mut }
    evloop::io::Output { write write_all }
    evloop::io::Stdin { read read_line }
    evloop::io::SyncIoBridge<evloop::net::TcpStream> { shutdown }
}

methods! {
    net_methods:
    evloop::net::ConnectError { of }
    evloop::net::OwnedReadHalf {
        local_addr peek peer_addr poll_peek read read_exact read_vectored readable ready reunite
        try_read try_read_vectored
    }
    evloop::net::OwnedWriteHalf {
        forget local_addr peer_addr ready shutdown try_write try_write_vectored writable write
        write_all write_all_buf write_vectored
    }
    evloop::net::TcpListener {
        accept from_std incoming into_incoming into_std local_addr poll_accept set_ttl ttl
    }
    evloop::net::TcpSocket {
        bind connect keepalive linger listen local_addr new_v4 new_v6 nodelay only_v6
        recv_buffer_size reuseaddr reuseport send_buffer_size set_keepalive set_linger set_nodelay
        set_only_v6 set_recv_buffer_size set_reuseaddr set_reuseport set_send_buffer_size
        set_tclass_v6 set_tos_v4 take_error tclass_v6 tos_v4
    }
    evloop::net::TcpStream {
        from_std into_split into_std keepalive linger local_addr nodelay peek peer_addr poll_peek
        poll_read_ready poll_write_ready quickack read read_exact read_vectored readable ready
        set_keepalive set_linger set_nodelay set_quickack set_tclass_v6 set_tos_v4 set_ttl shutdown
        take_error tclass_v6 tos_v4 try_read try_read_vectored try_write try_write_vectored ttl
        writable write write_all write_all_buf write_vectored
    }
    evloop::net::Truncated { of }
    evloop::net::UdpSocket {
        broadcast from_std into_std join_multicast_v4 join_multicast_v6 leave_multicast_v4
        leave_multicast_v6 local_addr multicast_loop_v4 multicast_loop_v6 multicast_ttl_v4 peek
        peek_from peek_sender peer_addr poll_peek poll_peek_from poll_peek_sender poll_read_ready
        poll_recv poll_recv_from poll_send poll_send_to poll_write_ready readable ready recv
        recv_buffer_size recv_from send send_buffer_size set_broadcast set_multicast_loop_v4
        set_multicast_loop_v6 set_multicast_ttl_v4 set_recv_buffer_size set_send_buffer_size
        set_tclass_v6 set_tos_v4 set_ttl take_error tclass_v6 tos_v4 try_peek try_peek_from
        try_peek_sender try_recv try_recv_from try_send try_send_to ttl writable
    }
    evloop::net::UnixDatagram {
        from_std into_std local_addr pair peek peek_from peek_sender peer_addr poll_peek
        poll_peek_from poll_peek_sender poll_read_ready poll_recv poll_recv_from poll_send
        poll_write_ready readable ready recv recv_from recv_with_fds send send_with_fds shutdown
        take_error try_peek try_peek_from try_peek_sender try_recv try_recv_from try_send unbound
        writable
    }
    evloop::net::UnixListener {
        accept bind_addr from_std incoming into_incoming into_std local_addr poll_accept
    }
    evloop::net::UnixSocket { datagram listen local_addr new_datagram new_stream }
    evloop::net::UnixStream {
        connect_addr from_std into_split into_std local_addr pair peek peer_addr peer_cred poll_peek
        poll_read_ready poll_write_ready read read_exact read_vectored readable ready recv_with_fds
        send_with_fds shutdown take_error try_read try_read_vectored try_write try_write_vectored
        writable write write_all write_all_buf write_vectored
    }
    evloop::net::pipe::OpenOptions { new read_write unchecked }
    evloop::net::pipe::Receiver {
        into_fd poll_read_ready read read_exact read_vectored readable reopened try_read
        try_read_vectored
    }
    evloop::net::pipe::Sender {
        into_fd poll_write_ready try_write try_write_vectored writable write write_all write_all_buf
        write_vectored
    }
}

#[cfg(feature = "process")]
methods! {
    process_methods:
    evloop::process::Child { id kill output terminate terminate_within try_wait wait }
    evloop::process::ChildStderr {
        into_fd poll_read_ready read read_exact read_vectored readable reopened try_read
        try_read_vectored
    }
    evloop::process::ChildStdin {
        into_fd poll_write_ready try_write try_write_vectored writable write write_all write_all_buf
        write_vectored
    }
    evloop::process::ChildStdout {
        into_fd poll_read_ready read read_exact read_vectored readable reopened try_read
        try_read_vectored
    }
    evloop::process::Command {
        as_std as_std_mut check_output check_status env_clear into_std kill_on_drop output spawn
        spawn_async status stderr_to_stdout
    }
    evloop::process::ExitError { of output program status }
    evloop::process::Pool { builder new shutdown terminate worker_ids }
    evloop::process::PoolBuilder { build jobs_per_worker workers }
}

methods! {
    queue_methods:
    evloop::queue::LifoQueue<u8> {
        bounded capacity close close_now get getters_waiting is_closed is_empty is_full join len
        peek put putters_waiting reserve snapshot stream task_done try_get try_peek try_put
        try_reserve unbounded unfinished
    }
    evloop::queue::PriorityQueue<u8> {
        bounded capacity close close_now get getters_waiting is_closed is_empty is_full join len
        peek put putters_waiting reserve snapshot stream task_done try_get try_peek try_put
        try_reserve unbounded unfinished
    }
    evloop::queue::Queue<u8> {
        bounded capacity close close_now get getters_waiting is_closed is_empty is_full join len
        peek put putters_waiting reserve snapshot stream task_done try_get try_peek try_put
        try_reserve unbounded unfinished
    }
    evloop::queue::TryPutError<u8> { into_inner }
}

methods! {
    runtime_methods:
    evloop::runtime::Builder {
        batch_max blocking_thread_keep_alive blocking_thread_stack_size blocking_threads_max build
        debug events_capacity new slow_poll_threshold spin
    }
    evloop::runtime::CallHandle { cancel is_cancelled when }
    evloop::runtime::Handle {
        current id is_closed is_debug is_running metrics name stop try_current
    }
    evloop::runtime::RemoteHandle<u8> { abort is_finished join }
    evloop::runtime::Runtime {
        builder enter handle is_empty metrics new next_deadline run run_until_empty
        run_until_stalled shutdown_timeout turn turn_hosted
    }
    evloop::runtime::StillRunning { spawned_at }
}

#[cfg(feature = "inspect")]
methods! {
    inspect_methods:
    evloop::runtime::Builder { inspect watchdog }
}

#[cfg(feature = "sim")]
methods! {
    sim_methods:
    evloop::sim::Client<'_, u8> { host }
    evloop::sim::Host<'_> { addrs clock crash is_up kill name pause restart resume stop }
    evloop::sim::HostClock<'_> { drift jump_back jump_forward }
    evloop::sim::Sim {
        duplicate hash loss order poll_limit reorder seed short_io step_limit time_limit trace
        trace_limit
    }
    evloop::sim::Trace { dropped hash is_empty len to_mermaid to_text to_trace_events }
    evloop::sim::World<'_> {
        calm elapsed find heal hold loss partition partition_from release reset seed trace
    }
}

methods! {
    shards_methods:
    evloop::shards::Mailbox<u8> { recv send }
    evloop::shards::Shard { count handles index stop_all }
}

#[cfg(feature = "signal")]
methods! {
    signal_methods:
    evloop::signal::Listener { kind recv }
    evloop::signal::Listeners { kinds recv }
    evloop::signal::SignalKind {
        alarm as_raw child from_raw hangup interrupt io kill pipe quit terminate user_defined1
        user_defined2 window_change
    }
}

#[cfg(feature = "rustls")]
methods! {
    tls_methods:
    evloop::streams::StreamReader { tls_info }
    evloop::streams::StreamWriter { tls_info }
}

methods! {
    streams_methods:
    evloop::streams::AsyncReader { into_inner }
    evloop::streams::AsyncWriter { into_inner }
    evloop::streams::Feeder { feed_eof feed_error }
    evloop::streams::FrameTooLong { of }
    evloop::streams::IncompleteRead { of }
    evloop::streams::LimitOverrun { of }
    evloop::streams::Lines<'_> { next }
    evloop::streams::Server {
        abort_clients close close_clients is_full is_serving local_addrs pause_serving serve_forever
        start_serving wait_closed
    }
    evloop::streams::StreamReader {
        as_async_read at_eof error get_ref into_async_read lines local_addr peer_addr read
        read_exact read_f32 read_f32_le read_f64 read_f64_le read_frame read_i128 read_i128_le
        read_i16 read_i16_le read_i32 read_i32_le read_i64 read_i64_le read_i8 read_line
        read_line_into read_to_end read_u128 read_u128_le read_u16 read_u16_le read_u32 read_u32_le
        read_u64 read_u64_le read_u8 read_until read_until_any
    }
    evloop::streams::StreamSocket { as_io as_pipe as_tcp as_unix readable take_error writable }
    evloop::streams::StreamWriter {
        abort abort_on_drop as_async_write close drain get_ref into_async_write is_closing
        local_addr peer_addr set_write_buffer_limits shutdown_write wait_closed write_buffer_limits
        write_buffer_size write_f32 write_f32_le write_f64 write_f64_le write_i128 write_i128_le
        write_i16 write_i16_le write_i32 write_i32_le write_i64 write_i64_le write_i8 write_u128
        write_u128_le write_u16 write_u16_le write_u32 write_u32_le write_u64 write_u64_le write_u8
        write_vectored
    }
}

methods! {
    sync_methods:
    evloop::sync::Barrier { abort is_broken n_waiting new parties reset wait }
    evloop::sync::BarrierWaitResult { index is_leader }
    evloop::sync::CancellationToken {
        cancel cancelled cancelled_owned child_token drop_guard is_cancelled new waiting
    }
    evloop::sync::CapacityLimiter<u8> {
        acquire_on_behalf_of available_tokens borrowed_tokens borrowers new set_total_tokens
        total_tokens try_acquire_on_behalf_of waiting
    }
    evloop::sync::CapacityToken<'_, u8> { borrower }
    evloop::sync::Condvar { new notify_all notify_n notify_one waiting }
    evloop::sync::DropGuard { disarm token }
    evloop::sync::Event { clear is_set new set wait waiting }
    evloop::sync::Mutex<u8> {
        get_mut into_inner is_locked lock lock_owned new try_lock try_lock_owned waiting
    }
    evloop::sync::MutexGuard<'_, u8> { mutex }
    evloop::sync::Notified<'_> { enable }
    evloop::sync::Notify {
        new notified notified_owned notify_last notify_one notify_waiters waiting
    }
    evloop::sync::OnceCell<u8> {
        get get_mut into_inner is_initialized new new_with set take wait waiting
    }
    evloop::sync::OwnedMutexGuard<u8> { mutex }
    evloop::sync::OwnedNotified { enable }
    evloop::sync::OwnedRwLockReadGuard<u8> { borrow rwlock }
    evloop::sync::OwnedRwLockWriteGuard<u8> { borrow borrow_mut downgrade rwlock }
    evloop::sync::OwnedSemaphorePermit { forget merge num_permits semaphore split }
    evloop::sync::RwLock<u8> {
        get_mut into_inner new read read_owned readers_waiting try_read try_read_owned
        try_upgradable_read try_write try_write_owned upgradable_read write write_owned
        writers_waiting
    }
    evloop::sync::RwLockUpgradableReadGuard<'_, u8> { downgrade try_upgrade upgrade }
    evloop::sync::RwLockWriteGuard<'_, u8> { downgrade downgrade_to_upgradable into_mapped }
    evloop::sync::Semaphore {
        acquire acquire_many acquire_many_owned acquire_owned add_permits available_permits bounded
        close forget_permits is_closed new try_acquire try_acquire_many try_acquire_many_owned
        try_acquire_owned waiting
    }
    evloop::sync::SemaphorePermit<'_> { forget merge num_permits semaphore split }
    evloop::sync::SetError<u8> { into_inner }
    evloop::sync::Shared<u8> { get is_set new wait waiting }
    evloop::sync::SharedSetter<u8> { set }
    evloop::sync::broadcast::Receiver<u8> {
        is_closed is_empty len recv resubscribe same_channel sender_strong_count sender_weak_count
        try_recv
    }
    evloop::sync::broadcast::Sender<u8> {
        closed downgrade is_empty len new receiver_count receivers_waiting same_channel send
        strong_count subscribe weak_count
    }
    evloop::sync::broadcast::WeakSender<u8> { strong_count upgrade weak_count }
    evloop::sync::mpsc::OwnedPermit<u8> { release same_channel same_channel_as_sender send }
    evloop::sync::mpsc::Permit<'_, u8> { send }
    evloop::sync::mpsc::Receiver<u8> {
        close free is_closed is_empty len max_capacity poll_recv poll_recv_many recv recv_many
        sender_strong_count sender_weak_count senders_waiting try_recv
    }
    evloop::sync::mpsc::SendTimeoutError<u8> { into_inner }
    evloop::sync::mpsc::Sender<u8> {
        closed downgrade force_send free is_closed is_empty len max_capacity receivers_waiting
        reserve reserve_many reserve_owned same_channel send send_timeout senders_waiting
        strong_count try_reserve try_reserve_many try_reserve_owned try_send weak_count
    }
    evloop::sync::mpsc::TrySendError<u8> { into_inner }
    evloop::sync::mpsc::UnboundedSender<u8> {
        closed downgrade is_closed is_empty len receivers_waiting same_channel send strong_count
        weak_count
    }
    evloop::sync::mpsc::WeakSender<u8> { strong_count upgrade weak_count }
    evloop::sync::mpsc::WeakUnboundedSender<u8> { strong_count upgrade weak_count }
    evloop::sync::oneshot::Receiver<u8> { close is_empty is_terminated try_recv }
    evloop::sync::oneshot::Sender<u8> { closed is_closed poll_closed send }
    evloop::sync::thread_channel::OwnedPermit<u8> {
        release same_channel same_channel_as_sender send
    }
    evloop::sync::thread_channel::Permit<'_, u8> { send }
    evloop::sync::thread_channel::Receiver<u8> {
        blocking_recv blocking_recv_many close free is_closed is_empty len max_capacity poll_recv
        poll_recv_many recv recv_many sender_strong_count sender_weak_count senders_waiting try_recv
    }
    evloop::sync::thread_channel::SendTimeoutError<u8> { into_inner }
    evloop::sync::thread_channel::Sender<u8> {
        blocking_send closed downgrade force_send free is_closed is_empty len max_capacity
        receivers_waiting reserve reserve_many reserve_owned same_channel send send_timeout
        senders_waiting strong_count try_reserve try_reserve_many try_reserve_owned try_send
        weak_count
    }
    evloop::sync::thread_channel::TrySendError<u8> { into_inner }
    evloop::sync::thread_channel::UnboundedSender<u8> {
        closed downgrade is_closed is_empty len receivers_waiting same_channel send strong_count
        weak_count
    }
    evloop::sync::thread_channel::WeakSender<u8> { strong_count upgrade weak_count }
    evloop::sync::thread_channel::WeakUnboundedSender<u8> { strong_count upgrade weak_count }
    evloop::sync::watch::Receiver<u8> {
        borrow borrow_and_update changed has_changed is_closed mark_changed mark_unchanged
        same_channel
    }
    evloop::sync::watch::Ref<u8> { has_changed }
    evloop::sync::watch::Sender<u8> {
        borrow closed is_closed new receiver_count receivers_waiting same_channel send send_replace
        sender_count subscribe
    }
}

methods! {
    task_methods:
    evloop::task::AbortHandle { abort id is_finished }
    evloop::task::BlockingHandle<u8> { abort is_finished is_running }
    evloop::task::BlockingPool { builder new num_queued num_threads shutdown_timeout }
    evloop::task::BlockingPoolBuilder { build thread_keep_alive thread_stack_size threads }
    evloop::task::Builder { eager new }
    evloop::task::EndCallback { remove }
    evloop::task::GroupError<u8> { errors into_errors into_first }
    evloop::task::JoinError {
        into_panic is_cancelled is_failed is_panic name spawned_at task_id try_into_panic
    }
    evloop::task::JoinHandle<u8> { abort abort_handle abort_on_drop cancel id is_finished }
    evloop::task::JoinMap<u8, u8> {
        abort abort_all contains_key contains_task detach_all insert is_empty join_next keys len new
        poll_join_next shutdown try_join_next
    }
    evloop::task::JoinQueue<u8> {
        abort_all detach_all insert is_empty join_all join_next join_next_with_id len new
        poll_join_next shutdown try_join_next try_join_next_with_id
    }
    evloop::task::JoinSet<u8> {
        abort_all detach_all insert is_empty join_all join_next join_next_with_id len new
        poll_join_next poll_join_next_with_id running shutdown try_join_next try_join_next_with_id
    }
    evloop::task::LocalKey<u8> { get }
    evloop::task::NotStarted<u8> { into_output }
    evloop::task::Proceed { made_progress }
    evloop::task::ReentrantMutex<u8> { get_mut into_inner is_locked lock new try_lock waiting }
    evloop::task::Scope<'_> { cancel is_cancelled is_empty len }
    evloop::task::ScopedHandle<'_, u8> { abort cancel id is_finished }
    evloop::task::Started<u8> { set }
    evloop::task::TaskInfo {
        abort id name parent polls spawned_at state waits_at waits_for waits_on
    }
    evloop::task::TaskTracker { close is_closed is_empty len new ptr_eq reopen token wait }
    evloop::task::TaskTrackerToken { task_tracker }
    evloop::task::TryScope<'_, u8> { cancel is_cancelled is_empty len }
}

methods! {
    time_methods:
    evloop::time::DelayQueue<u8> {
        clear deadline expired insert insert_at is_empty len new peek poll_expired remove reset
        reset_at try_remove with_capacity
    }
    evloop::time::Elapsed { duration }
    evloop::time::Expired<u8> { deadline delay get_mut get_ref into_inner }
    evloop::time::Interval {
        missed_tick period poll_tick reset reset_after reset_at reset_immediately set_missed_tick
        set_period tick
    }
    evloop::time::Sleep { deadline is_elapsed never reset }
    evloop::time::TimeoutScope { deadline is_elapsed }
}

/// This test only needs to compile.
#[test]
fn the_methods_exist() {
    let _ = coroutine_methods;
    let _ = fs_methods;
    let _ = io_methods;
    let _ = net_methods;
    #[cfg(feature = "process")]
    let _ = process_methods;
    let _ = queue_methods;
    let _ = runtime_methods;
    let _ = shards_methods;
    #[cfg(feature = "signal")]
    let _ = signal_methods;
    let _ = streams_methods;
    let _ = sync_methods;
    let _ = task_methods;
    let _ = time_methods;
}
