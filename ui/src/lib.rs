//! Banyan's desktop app: watch, broadcast, sponsor.
//!
//! The window draws a [`model::Model`] and gives back [`model::Command`]s; it decides nothing and awaits nothing. [`backend`] runs the
//! sessions of the crate `banyan` on threads of its own and tells the model what happened. Everything that can be done here,
//! `banyan` can do without a window.

pub mod app;
pub mod args;
pub mod backend;
pub mod look;
pub mod model;
pub mod pages;
mod playing;
pub mod sound;
pub mod store;
pub mod trouble;
pub mod video;
pub mod widgets;
