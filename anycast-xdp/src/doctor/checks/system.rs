//! The machine: kernel, bpffs, and what the daemon may.

use super::{
    super::{
        Place, Severity,
        Severity::{Error, Info, Warning},
    },
    Answer, Case, Check, Concerns,
};

/// Maps that mmap their arrays, and neighbours that the kernel keeps resolved.
const OLDEST_KERNEL: (u32, u32) = (6, 1);
/// From here on the memory of maps is accounted to the memory control group (`bpf: Switch to memcg-based memory accounting`).
const MEMLOCK_ENDS: (u32, u32) = (5, 11);
/// What the maps of the default limits and 64 CPUs need, rounded up.
const MEMLOCK_MIN_BYTES: u64 = 256 << 20;
/// Bits of `linux/capability.h`, and how bad it is to be without.
const CAPABILITIES: [(u32, &str, Severity); 4] =
    [(12, "CAP_NET_ADMIN", Error), (13, "CAP_NET_RAW", Warning), (38, "CAP_PERFMON", Error), (39, "CAP_BPF", Error)];

pub(super) const CHECKS: [Check; 7] = [
    Check {
        code: "kernel_too_old",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "a kernel before 6.1",
        run: kernel_too_old,
    },
    Check {
        code: "kernel_btf_missing",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "a kernel without type information (BTF)",
        run: kernel_btf_missing,
    },
    Check {
        code: "jit_off",
        severities: &[Warning],
        concerns: Concerns::All,
        finds: "programs that are interpreted",
        run: jit_off,
    },
    Check {
        code: "bpffs_missing",
        severities: &[Error, Info],
        concerns: Concerns::All,
        finds: "no bpffs, neither the daemon's own nor that at /sys/fs/bpf, where programs and maps are pinned",
        run: bpffs_missing,
    },
    Check {
        code: "capability_missing",
        severities: &[Error, Warning],
        concerns: Concerns::All,
        finds: "a capability that the daemon lacks (without a daemon: that this process lacks)",
        run: capability_missing,
    },
    Check {
        code: "memlock_low",
        severities: &[Error],
        concerns: Concerns::All,
        finds: "a limit of locked memory that maps are counted against (kernels before 5.11 only; later ones do not)",
        run: memlock_low,
    },
    Check {
        code: "cpus_possible_many",
        severities: &[Info],
        concerns: Concerns::All,
        finds: "counters for many CPUs that there are not",
        run: cpus_possible_many,
    },
];

fn kernel_too_old(case: &Case<'_>, answer: &mut Answer<'_>) {
    let system = &case.facts.system;
    let (major, minor) = OLDEST_KERNEL;
    match system.version() {
        None => answer.skip(Place::Host, format!("`{}` is no version of a kernel", system.kernel)),
        Some(version) if version < OLDEST_KERNEL => answer.error(
            Place::Host,
            format!("kernel {} is older than {major}.{minor}: it cannot keep next hops resolved", system.kernel),
            format!("boot kernel {major}.{minor} or newer"),
        ),
        Some(_) => {}
    }
}

fn kernel_btf_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    if !case.facts.system.btf {
        let fix = "boot a kernel with CONFIG_DEBUG_INFO_BTF=y; /sys/kernel/btf/vmlinux is then there";
        answer.warning(Place::Host, "the kernel has no type information of itself", fix);
    }
}

fn jit_off(case: &Case<'_>, answer: &mut Answer<'_>) {
    match &case.facts.system.jit {
        Ok(0) => answer.warning(
            Place::Host,
            "the kernel interprets programs, which takes several times as long",
            "sysctl -w net.core.bpf_jit_enable=1",
        ),
        Ok(_) => {}
        Err(reason) => answer.skip(Place::Host, reason),
    }
}

fn bpffs_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    let facts = case.facts;
    if facts.system.bpffs {
        return;
    }
    if facts.instance.has_inventory || facts.instance.daemon_pid.is_some() {
        answer.error(
            Place::Host,
            "an instance was started, and no bpffs is there: its pins are gone, or in another mount namespace",
            "enter namespaces by `nsenter --net=...`, not by `ip netns exec`; if it was unmounted: systemctl restart anycast-xdp-prepare anycast-xdp (a daemon of root: mount -t bpf bpf /sys/fs/bpf, and start it again)",
        );
    } else {
        let fix = "anycast-xdp prepare, as root, which anycast-xdp-prepare.service runs (a daemon of root mounts /sys/fs/bpf when it starts)";
        answer.info(Place::Host, "no bpffs is mounted yet", fix);
    }
}

fn capability_missing(case: &Case<'_>, answer: &mut Answer<'_>) {
    let bits = match &case.facts.system.capabilities {
        Ok(bits) => *bits,
        Err(reason) => return answer.skip(Place::Host, reason),
    };
    let missing: Vec<_> = CAPABILITIES.into_iter().filter(|(bit, ..)| bits & (1 << bit) == 0).collect();
    // Without the last one the daemon forwards, and learns no MTUs.
    let Some(severity) = missing.iter().map(|(.., severity)| *severity).min() else { return };
    let missing = missing.into_iter().map(|(_, name, _)| name).collect::<Vec<_>>().join(" ");
    let (problem, fix) = match case.facts.instance.daemon_pid {
        Some(pid) => (
            format!("the daemon (process {pid}) lacks {missing}"),
            format!("in the [Service] of its unit: AmbientCapabilities={missing} and CapabilityBoundingSet={missing}"),
        ),
        None => (
            format!("this process lacks {missing}, and so would a daemon that is started like this"),
            "run it as root, with the capabilities of packaging/systemd/anycast-xdp.service".to_owned(),
        ),
    };
    answer.add(severity, Place::Host, problem, fix);
}

fn memlock_low(case: &Case<'_>, answer: &mut Answer<'_>) {
    let system = &case.facts.system;
    if system.version().is_none_or(|version| version >= MEMLOCK_ENDS) {
        return;
    }
    match &system.memlock_bytes {
        Ok(bytes) if *bytes < MEMLOCK_MIN_BYTES => answer.error(
            Place::Host,
            format!("this kernel counts maps as locked memory, of which {bytes} bytes are allowed"),
            "ulimit -l unlimited; in the [Service] of a unit: LimitMEMLOCK=infinity",
        ),
        Ok(_) => {}
        Err(reason) => answer.skip(Place::Host, reason),
    }
}

fn cpus_possible_many(case: &Case<'_>, answer: &mut Answer<'_>) {
    let (online, possible) = (case.facts.system.cpus_online, case.facts.system.cpus_possible);
    if possible > 16 && possible > online * 4 {
        answer.info(
            Place::Host,
            format!("counters are made for {possible} possible CPUs, of which {online} run"),
            format!("to save the memory, boot with the kernel parameter possible_cpus={online}"),
        );
    }
}
