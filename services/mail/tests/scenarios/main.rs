//! Scenarios over a real store, each ended by the consistency check. Start at [`house`].

#[cfg(test)]
mod house;
#[cfg(test)]
mod mailboxes;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod model;
#[cfg(test)]
mod searching;
#[cfg(test)]
mod views;
