//! Devices that some kernels have not.

use anyhow::Result;

use super::Namespace;

/// What `ip` says when the kernel has no such device, or no such family of commands (of
/// FOU, iproute2 6.1 says no more than the last).
const REFUSALS: [&str; 4] =
    ["Unknown device type", "not supported", "generic netlink family", "Error talking to the kernel"];

/// Gives these lines to `ip` in an empty namespace; what this kernel has not, if it has it not. Lines that fail for
/// another reason are not refused: the test will tell why.
pub fn refusal(lines: &[&str]) -> Result<Option<String>> {
    let namespace = Namespace::new("devices")?;
    let Some((line, error)) = lines.iter().find_map(|line| Some((line, namespace.ip(line).err()?))) else {
        return Ok(None);
    };
    let text = format!("{error:#}");
    let is_refused = REFUSALS.iter().any(|refusal| text.contains(refusal));
    Ok(is_refused.then(|| format!("this kernel refuses `ip {line}`")))
}
