//! Grace periods of readers in this process, and none at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use anycast_common::map::{ReturnKey, ReturnPath, TransitionKey};
use anycast_xdp::dataplane::{
    keyed::KeyedMaps,
    tables::{Arrays, Dataplane, Kernel},
};
use anyhow::Result;

/// Whether each reader is under way: odd numbers are.
#[derive(Debug)]
pub struct Readers(Vec<AtomicU64>);

impl Readers {
    /// So many, none of them under way.
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU64::new(0)).collect())
    }

    /// Runs `work` as reader `number`.
    pub fn under_way<T>(&self, number: usize, work: impl FnOnce() -> T) -> T {
        self.0[number].fetch_add(1, Ordering::SeqCst);
        let result = work();
        self.0[number].fetch_add(1, Ordering::SeqCst);
        result
    }

    /// Returns when every reader that is under way now has ended.
    fn wait(&self) {
        for reader in &self.0 {
            let begun = reader.load(Ordering::SeqCst);
            while begun % 2 == 1 && reader.load(Ordering::SeqCst) == begun {
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
    }
}

/// The kernel's tables, with readers of our own to wait for.
pub struct Watched<'a> {
    /// The tables.
    pub kernel: &'a mut Kernel,
    /// Who reads them.
    pub readers: &'a Readers,
}

/// The kernel's tables, for a writer that does not wait for anybody: what must not be.
pub struct Graceless<'a>(pub &'a mut Kernel);

macro_rules! delegate {
    ($kernel:tt) => {
        fn arrays(&mut self) -> &mut Arrays {
            self.$kernel.arrays()
        }

        fn keyed(&mut self) -> &mut KeyedMaps {
            self.$kernel.keyed()
        }

        fn vip_keys(&self) -> Result<BTreeMap<IpAddr, u32>> {
            self.$kernel.vip_keys()
        }

        fn insert_vip(&mut self, address: IpAddr, index: u32) -> Result<()> {
            self.$kernel.insert_vip(address, index)
        }

        fn remove_vip(&mut self, address: IpAddr) -> Result<()> {
            self.$kernel.remove_vip(address)
        }

        fn settle_vips(&mut self) -> Result<()> {
            self.$kernel.settle_vips()
        }

        fn reset_vip_counters(&mut self, indexes: &BTreeSet<u32>) -> Result<()> {
            self.$kernel.reset_vip_counters(indexes)
        }

        fn reset_backend_counter(&mut self, index: u32) -> Result<()> {
            self.$kernel.reset_backend_counter(index)
        }

        fn forget_flows(&mut self, is_stale: &dyn Fn(&TransitionKey, u32) -> bool) -> Result<()> {
            self.$kernel.forget_flows(is_stale)
        }

        fn forget_paths(&mut self, is_stale: &dyn Fn(&ReturnKey, ReturnPath) -> bool) -> Result<bool> {
            self.$kernel.forget_paths(is_stale)
        }

        fn set_device(&mut self, index: u32, ifindex: u32) -> Result<()> {
            self.$kernel.set_device(index, ifindex)
        }
    };
}

impl Dataplane for Watched<'_> {
    delegate!(kernel);

    fn wait_for_readers(&mut self) -> Result<()> {
        self.readers.wait();
        Ok(())
    }
}

impl Dataplane for Graceless<'_> {
    delegate!(0);

    fn wait_for_readers(&mut self) -> Result<()> {
        Ok(())
    }
}
