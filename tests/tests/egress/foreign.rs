//! Programs of others.

use anycast_tests::lab::Namespace;
use anycast_xdp::{
    dataplane::egress::{self, EgressHook},
    objects,
};
use aya::{
    Ebpf, EbpfLoader,
    programs::{
        LinkOrder, SchedClassifier, TcAttachType,
        tc::{NlOptions, TcAttachOptions},
    },
};

/// Somebody else's program at the egress of an interface, behind all others; gone on drop.
pub struct Foreign<'a> {
    pub program_id: u32,
    namespace: &'a Namespace,
    object: Option<Ebpf>,
}

impl Drop for Foreign<'_> {
    fn drop(&mut self) {
        // A filter is found by the index of its interface, which is another one elsewhere.
        let object = self.object.take();
        let _ = self.namespace.enter(move || drop(object));
    }
}

impl<'a> Foreign<'a> {
    pub fn attach(namespace: &'a Namespace, interface: &str, hook: EgressHook) -> Self {
        let options = || match hook {
            EgressHook::Tcx => TcAttachOptions::TcxOrder(LinkOrder::last()),
            // The priority of ours: whose filter it is, its handle and its name tell.
            EgressHook::Clsact => TcAttachOptions::Netlink(NlOptions { priority: 1, ..NlOptions::default() }),
        };
        let attach = || {
            let mut object = EbpfLoader::new().load(objects::DATAPATH).unwrap();
            let program: &mut SchedClassifier = object.program_mut(egress::PROGRAM).unwrap().try_into().unwrap();
            program.load().unwrap();
            program.attach_with_options(interface, TcAttachType::Egress, options()).unwrap();
            let program_id = program.info().unwrap().id();
            (program_id, object)
        };
        let (program_id, object) = namespace.enter(attach).unwrap();
        Self { program_id, namespace, object: Some(object) }
    }
}
