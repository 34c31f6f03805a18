//! A host file and a store in a directory, and the control part on them.

use std::{path::Path, sync::Arc};

use tokio::sync::watch;

use crate::{
    api::types::{ApiError, ChangeQuery},
    config::Host,
    control::{Control, Desired, Edit, Wanted},
    store::{Author, SqliteStore},
};

/// File of a host that has no services itself.
pub const HOST: &str = r#"
role = "pop"
[host]
pop = "beijing"
name = "beijing-1"
[hash]
seed = "000102030405060708090a0b0c0d0e0f"
[tunnel]
source_ipv4 = "10.3.0.2"
[[interface]]
name = "eth0"
roles = ["access", "backbone"]
"#;

/// A control part on a store of its own.
pub struct Lab {
    pub directory: tempfile::TempDir,
    pub control: Control<SqliteStore>,
    pub desired: watch::Receiver<Arc<Desired>>,
}

impl Lab {
    pub async fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(directory: tempfile::TempDir) -> Self {
        let file = directory.path().join("host.toml");
        std::fs::write(&file, HOST).unwrap();
        let store = directory.path().join("store.db");
        let started = Control::start(Host::read(&file).unwrap(), async |_| SqliteStore::open(&store).await).await;
        let (mut control, desired) = started.unwrap();
        control.looks_at_host = false;
        Self { directory, control, desired }
    }

    /// Another process with the same store.
    pub async fn again(self) -> Self {
        let Self { directory, control, desired } = self;
        drop((control, desired));
        Self::on(directory).await
    }

    /// Makes the services those of this text: the new revision.
    pub async fn apply(&mut self, text: &str, query: ChangeQuery) -> Result<u64, ApiError> {
        let wanted = Wanted::File { text, name: Path::new("services.toml") };
        Ok(self.control.replace(wanted, query, author(), "apply").await?.revision)
    }

    /// Makes one change: the new revision.
    pub async fn edit(&mut self, edit: Edit) -> Result<u64, ApiError> {
        Ok(self.control.edit(edit, ChangeQuery::default(), author()).await?.revision)
    }

    /// The pools that `web` is bound to, in their order.
    pub fn pools_of_web(&self) -> Vec<String> {
        let config = self.desired.borrow().config();
        let web = config.services.vips.iter().find(|vip| vip.name == "web").unwrap();
        web.pools().map(str::to_owned).collect()
    }
}

pub fn author() -> Author {
    Author { uid: 0, gid: 0, pid: 1, user: Some("root".to_owned()) }
}
