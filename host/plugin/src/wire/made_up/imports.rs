//! The imports of the made-up version, over [`Imports`].

use super::bindings::entente::integration::desk;
use super::convert::words;
use crate::wire::{Imports, Optional};
use std::marker::PhantomData;
use tracing::Level;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker};

struct Host<'a, T>(&'a mut T);

struct In<T>(PhantomData<T>);

impl<T: Imports> HasData for In<T> {
    type Data<'a> = Host<'a, T>;
}

/// It has nothing that a manifest asks for.
pub(super) fn link<T: Imports>(linker: &mut Linker<T>, _: Optional) -> Result<()> {
    desk::add_to_linker::<_, In<T>>(linker, |data| Host(data))
}

impl<T: Imports> desk::Host for Host<'_, T> {
    async fn note(&mut self, text: String) -> Result<()> {
        self.0.log(Level::INFO, &text, &[]);
        Ok(())
    }

    async fn ask(&mut self, name: String) -> Result<Option<String>> {
        Ok(self.0.settings().get(&name).and_then(words))
    }
}
