//! A unit's sandbox as a shell script, from what the unit file says.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::unit::Unit;

/// Directives that have nothing to do with what the process may, or whose effect [`super`] describes.
const ELSEWHERE: [&str; 18] = [
    "Type",
    "WatchdogSec",
    "NotifyAccess",
    "ExecStartPre",
    "ExecStart",
    "ExecReload",
    "KillMode",
    "TimeoutStopSec",
    "Restart",
    "RestartSec",
    "OOMScoreAdjust",
    "RuntimeDirectoryPreserve",
    // One group, and the user's.
    "User",
    "Group",
    // By what the process asks the kernel for, which `strace` tells: the test looks at that.
    "SystemCallFilter",
    "SystemCallErrorNumber",
    "RestrictAddressFamilies",
    "MemoryDenyWriteExecute",
];

/// Directives that only forbid what a process with these capabilities and this file system cannot do, or does not try.
const IMPLIED: [&str; 15] = [
    "DevicePolicy",
    "LockPersonality",
    "PrivateMounts",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "RemoveIPC",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "RuntimeDirectoryMode",
    "StateDirectoryMode",
    "SystemCallArchitectures",
];

/// Makes every mount below `$1` that is not below `$2` or `$3` read-only; those that another one hides are out of reach.
const READ_ONLY: &str = r#"
read_only() {
    while read -r _ _ _ _ place _; do
        case "$place/" in "$2"/*|"$3"/*|/proc/*|/dev/*) continue ;; esac
        [ "$1" = / ] && case "$place/" in /sys/*) continue ;; esac
        case "$place/" in "${1%/}"/*) mount -o remount,bind,ro "$place" 2>/dev/null || ! mountpoint -q "$place" ;; esac
    done < /proc/self/mountinfo
}
"#;

const PRIVATE_DEVICES: &str = "
mount -t tmpfs tmpfs /mnt
for node in null zero full random urandom tty; do touch /mnt/$node; mount --bind /dev/$node /mnt/$node; done
mount --rbind /mnt /dev
umount -l /mnt
";

/// The script: it ends as the program that its arguments name, as this user.
///
/// # Errors
///
/// A directive that it does not know: the emulation must not say more than the unit.
pub(super) fn script(unit: &Unit, uid: u32, gid: u32) -> Result<String> {
    let (mut mounts, mut late, mut user) = (String::new(), String::new(), String::new());
    let mut umask = "0022";
    for (key, value) in unit.directives() {
        match (key, value) {
            ("AmbientCapabilities", _) => {
                let ambient = unit.capabilities(key);
                let _ = write!(user, " --inh-caps={ambient} --ambient-caps={ambient}");
            }
            ("CapabilityBoundingSet", _) => {
                let _ = write!(user, " --bounding-set={}", unit.capabilities(key));
            }
            ("NoNewPrivileges", "yes") => user.push_str(" --no-new-privs"),
            ("UMask", mask) => umask = mask,
            ("LimitNOFILE", files) => {
                // Only who has CAP_SYS_RESOURCE may raise a hard limit, as systemd does: else the daemon has what there is, and no more.
                let _ = writeln!(late, "ulimit -n {files} 2>/dev/null || ulimit -n \"$(ulimit -H -n)\"");
            }
            ("ProtectSystem", "strict") => late.push_str("read_only / $runtime $state\n"),
            ("ProtectHome", "yes") => mounts.push_str("for home in /root /home; do mount -t tmpfs -o mode=0 tmpfs $home; done\n"),
            ("PrivateTmp", "yes") => mounts.push_str("for tmp in /tmp /var/tmp; do mount -t tmpfs tmpfs $tmp; done\n"),
            ("PrivateDevices", "yes") => mounts.push_str(PRIVATE_DEVICES),
            ("ProtectKernelTunables", "yes") => late.push_str(
                "read_only /sys $runtime $state\nmount --bind /proc/sys /proc/sys\nmount -o remount,bind,ro /proc/sys\n",
            ),
            ("ProtectProc", how) => {
                let _ = writeln!(mounts, "mount -t proc -o hidepid={how} proc /proc");
            }
            ("RuntimeDirectory", name) => {
                let _ = writeln!(mounts, "runtime=/run/{name}");
            }
            ("StateDirectory", name) => {
                let _ = writeln!(mounts, "state=/var/lib/{name}");
            }
            (key, _) if ELSEWHERE.contains(&key) => {}
            (key, "yes" | "closed" | "native" | "0755" | "0750") if IMPLIED.contains(&key) => {}
            (key, value) => bail!("{key}={value}: the tests have no such sandbox"),
        }
    }
    Ok(format!(
        "set -eu\nruntime=/nowhere state=/nowhere\n{READ_ONLY}{mounts}{late}cd /\numask {umask}\nexec setpriv --reuid {uid} --regid {gid} --clear-groups{user} \"$@\"\n"
    ))
}
