//! Commands that run to their end.

use std::{
    io::Read as _,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// Runs the command; its stdout. Fails with its stderr if it fails.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| start_error(command))?;
    stdout_of(command, output)
}

/// [`run`], but kills the command after `limit`.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<String> {
    let output = output_within(command, limit)?;
    stdout_of(command, output)
}

/// Runs the command and gives its output whatever its exit status; kills it after `limit`, which is an error.
pub fn output_within(command: &mut Command, limit: Duration) -> Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| start_error(command))?;
    // Threads empty the pipes, so that a child with much to say never waits for a reader.
    let reader = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                // A broken pipe ends the text early; the exit status tells what happened.
                let _ = pipe.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let stdout = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let stdout = stdout.join().expect("reading never panics");
    let stderr = stderr.join().expect("reading never panics");
    let Some(status) = status else {
        bail!("{command:?} did not end within {limit:?}:\n{}", String::from_utf8_lossy(&stderr));
    };
    Ok(Output { status, stdout, stderr })
}

fn stdout_of(command: &Command, output: Output) -> Result<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{command:?}: {}\n{stderr}{stdout}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} wrote no UTF-8"))
}

pub(crate) fn start_error(command: &Command) -> String {
    format!("cannot start {}: is it installed? (`cargo xtask setup`)", command.get_program().display())
}
