//! A virtual machine from its start to its end.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use super::kernels::Kernel;
use crate::{commands::setup::Emulator, run, say};

/// A machine that hangs is ended: several times what the slowest takes.
const LIMIT: Duration = Duration::from_mins(20);

/// The test programs, and room for the lab.
const MEMORY_MIB: u32 = 1536;

/// How many of the kernel's last lines are shown when it did not reach its end.
const LAST_LINES: usize = 30;

/// What the emulated processor is. Always emulated (TCG): hardware virtualisation is often offered where it does not work,
/// and results must not depend on it. Without 57-bit addresses, whose page tables cost an emulator a fifth level, and without
/// fast string instructions: a kernel that is told of them clears and copies memory by `rep stosb` and `rep movsb`, of which
/// every byte is emulated (arch/x86/lib/clear_page_64.S, memset_64.S).
const PROCESSOR: [&str; 6] = ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off,erms=off,fsrm=off", "-smp", "2"];

/// A panic ends the machine, and mitigations of hardware bugs are of no use in an emulator.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 panic=-1 quiet mitigations=off nokaslr";

/// What the first process says last.
const OFF: &str = "@@ off";

/// Boots the kernel with this first file system, and leaves these programs out; the lines that the machine says.
pub fn boot(emulator: &Emulator, kernel: &Kernel, initrd: &Path, without: &[&str]) -> Result<Vec<String>> {
    let console = initrd.with_extension("console");
    let mut command = emulator.command(LIMIT);
    command.args(PROCESSOR).args(["-m", &MEMORY_MIB.to_string()]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    command.arg("-serial").arg(file_device(&console)).args(["-serial", "stdio"]);
    let left_out = without.iter().map(|program| format!(" without={program}"));
    let arguments = format!("{KERNEL_ARGUMENTS}{} ", left_out.collect::<String>());
    command.arg("-kernel").arg(kernel.image()?).arg("-initrd").arg(initrd).args(["-append", &arguments]);
    let (status, lines) = run::watched(&mut command)?;
    if !status.success() || !lines.iter().any(|line| line == OFF) {
        say::step(format!("Linux {} did not reach its end ({status}); its last lines:", kernel.release));
        let text = String::from_utf8_lossy(&fs::read(&console).unwrap_or_default()).into_owned();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].iter().for_each(say::note);
    }
    Ok(lines)
}

/// A comma in the name would end it.
fn file_device(path: &Path) -> PathBuf {
    format!("file:{}", path.display().to_string().replace(',', ",,")).into()
}
