//! What metrics are made of.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use tokio::sync::watch;

use super::{Control, Desired, Kept};
use crate::{documents::Kind, metrics::Recorder, store::Store};

impl<S: Store> Control<S> {
    /// What the reconciler is to make of the maps, now and from now on.
    pub fn watch(&self) -> watch::Receiver<Arc<Desired>> {
        self.desired.subscribe()
    }

    /// The store; none: the services are those of the host's file.
    pub fn store(&self) -> Option<&S> {
        match &self.kept {
            Kept::File(_) => None,
            Kept::Store { repository, .. } => Some(repository.store()),
        }
    }

    /// What is measured as it happens.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Labels of the VIPs that have some, by name.
    pub fn vip_labels(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let documents = match &self.kept {
            Kept::File(documents) => Some(documents),
            Kept::Store { head, .. } => head.as_ref().map(|head| &head.documents),
        };
        let vips = documents.into_iter().flat_map(|documents| documents.of(Kind::Vip));
        let labelled = vips.filter_map(|(name, document)| {
            let labels = document.get("labels").and_then(Value::as_object)?;
            let pairs = labels.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            let pairs: BTreeMap<_, _> = pairs.collect();
            (!pairs.is_empty()).then(|| (name.to_owned(), pairs))
        });
        labelled.collect()
    }
}
