//! `top`: one screen of rates and of what is wrong, readable at 80 columns and 24 lines.
//!
//! | file | concern |
//! | --- | --- |
//! | `now` | what two readings tell |
//! | `model` | what the user wants to see of it, and keys |
//! | `draw`, `state` | the screen |

mod draw;
mod model;
mod now;
mod state;
#[cfg(test)]
mod tests;

pub use self::{
    draw::{draw, text},
    model::{Model, Sort, Wish},
    now::{Now, Reading},
};
