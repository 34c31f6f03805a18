//! Changes of services, looked at after every single store: what do packets find?

mod changes;
mod crashes;
mod gaps;
mod gateways;
mod instance;
mod lookup;
mod returners;
mod room;
mod seed;
mod services;
mod states;
