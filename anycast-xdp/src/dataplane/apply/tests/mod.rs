//! Changes of services, looked at after every single store: what do packets find?

mod changes;
mod crashes;
mod faults;
mod gaps;
mod gateways;
mod instance;
mod kinds;
mod lookup;
mod returners;
mod room;
mod running;
mod seed;
mod services;
mod states;
