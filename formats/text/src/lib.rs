//! What a reader sees of mail: HTML to visible text, links, words, language.
//!
//! Everything here is a pure function of text in UTF-8, linear in its length and bounded by named
//! limits; nothing recurses on input and nothing fails. The answers are the same on every platform.
//!
//! [`html`] renders HTML and tells what it hides, [`url`] finds and takes apart URLs and e-mail
//! addresses, [`words`] cuts text into words, [`measure`] counts what rules ask about, [`language`]
//! tells which language it is. Character sets and transfer encodings belong to the crate `mime`.
//!
//! Start reading at [`html::render`] and [`url::Url::parse`].

#![deny(missing_docs)]

pub mod html;
pub mod language;
pub mod measure;
pub mod script;
pub mod url;
pub mod words;
