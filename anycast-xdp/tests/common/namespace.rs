//! Network namespaces of tests, and commands in them.

use std::{
    ffi::CString,
    fs::File,
    os::fd::AsRawFd as _,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// A network namespace, removed on drop.
struct Namespace(String);

impl Namespace {
    /// Makes one whose name begins so.
    fn new(prefix: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run(&format!("ip netns add {name}"));
        Self(name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Moves the calling thread into a namespace, and the threads and processes that it starts from now on.
pub fn enter(namespace: &str) {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    // SAFETY: a plain system call on a descriptor that is open; it concerns the calling thread only.
    let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
    assert_eq!(result, 0, "setns: {}", std::io::Error::last_os_error());
}

/// Runs a test in the first of two new namespaces, on a thread and a runtime of its own, with what `wire` makes of their names
/// there. Without root it is skipped, and that is told.
pub fn between<L>(
    test: &str,
    prefix: &str,
    wire: impl FnOnce(&str, &str) -> L + Send + 'static,
    body: impl AsyncFnOnce(L) + Send + 'static,
) {
    // SAFETY: has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("SKIPPED {test}: needs root");
        return;
    }
    let (here, there) = (Namespace::new(prefix), Namespace::new(prefix));
    let name_there = there.0.clone();
    let inside = std::thread::spawn(move || {
        enter(&here.0);
        let lab = wire(&here.0, &name_there);
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body(lab));
        drop(here);
    });
    if let Err(panic) = inside.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs a command in the namespace of the calling thread; it must succeed.
pub fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Kernel index of an interface in the namespace of the calling thread.
pub fn ifindex(link: &str) -> u32 {
    let name = CString::new(link).unwrap();
    // SAFETY: the pointer is to a string that ends with a zero byte and lives until after the call.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}
