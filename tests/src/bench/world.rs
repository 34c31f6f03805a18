//! A network namespace of the bench's own, with two wires in it. It ends with the process.

use std::{ffi::CString, fs, io, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::addresses as at;

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Kernel name.
    pub name: String,
    /// Kernel index.
    pub ifindex: u32,
}

/// A veth pair.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Where programs under test run or send.
    pub near: Interface,
    /// Where what they send arrives.
    pub far: Interface,
}

/// The namespace that this process is in.
#[derive(Debug)]
pub struct World {
    /// Frames come in at its near end, and leave by it again with `XDP_TX`.
    pub access: Wire,
    /// Frames leave by its near end with `XDP_REDIRECT`.
    pub backbone: Wire,
}

impl World {
    /// Moves this process, which has one thread, into a new namespace and lays the wires.
    pub fn enter() -> Result<Self> {
        // SAFETY: a system call without pointers.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error()).context("cannot make a network namespace (are you root?)");
        }
        // Neighbour discovery would add frames of its own to those that are counted.
        fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").context("cannot switch IPv6 off")?;
        let world = Self { access: Wire::lay("in0", "in1")?, backbone: Wire::lay("bb0", "bb1")? };
        world.lead_to_clients()?;
        Ok(world)
    }

    /// The kernel's own way to clients, for who asks it.
    fn lead_to_clients(&self) -> Result<()> {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot switch forwarding on")?;
        let near = self.access.near.name.as_str();
        ip(&["address", "add", at::ACCESS_V4, "dev", near])?;
        let mac = at::NEXT_HOP_MAC.map(|byte| format!("{byte:02x}")).join(":");
        ip(&["neigh", "add", at::ACCESS_ROUTER_V4, "lladdr", &mac, "dev", near, "nud", "permanent"])?;
        ip(&["route", "add", at::CLIENTS_V4, "via", at::ACCESS_ROUTER_V4, "dev", near])
    }
}

impl Wire {
    fn lay(near: &str, far: &str) -> Result<Self> {
        ip(&["link", "add", near, "type", "veth", "peer", "name", far])?;
        ip(&["link", "set", near, "up"])?;
        ip(&["link", "set", far, "up"])?;
        Ok(Self { near: Interface::find(near)?, far: Interface::find(far)? })
    }
}

impl Interface {
    fn find(name: &str) -> Result<Self> {
        let c_name = CString::new(name)?;
        // SAFETY: a string that ends with a zero byte and outlives the call.
        let ifindex = unsafe { libc::if_nametoindex(c_name.as_ptr()) };
        ensure!(ifindex != 0, "no interface {name}");
        Ok(Self { name: name.into(), ifindex })
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("cannot run ip (iproute2)")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), stderr.trim());
    Ok(())
}
