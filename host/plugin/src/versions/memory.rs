//! Values of the interface in linear memory, laid out as the canonical ABI has them.

use serde_json::Value as Json;
use std::collections::BTreeMap;
use wit_parser::{Int, Resolve, SizeAlign, Type, TypeDefKind};

/// The beginning of a memory. Values are given as JSON: records and variants by their names, `null` for what is
/// zero (`none`, an empty list). A text `<name>` is left empty, for code to put a text or a list there.
pub(super) struct Memory<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
    pub(super) bytes: Vec<u8>,
    /// Where the text of each name is.
    pub(super) places: BTreeMap<String, usize>,
}

impl<'a> Memory<'a> {
    pub(super) fn new(resolve: &'a Resolve) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        Self { resolve, sizes, bytes: vec![0; 1024], places: BTreeMap::new() }
    }

    /// Its address.
    pub(super) fn put(&mut self, kind: &Type, value: &Json) -> usize {
        let at = self.room(self.size(kind), self.sizes.align(kind).align_wasm32());
        self.write(kind, value, at);
        at
    }

    pub(super) fn size(&self, kind: &Type) -> usize {
        self.sizes.size(kind).size_wasm32()
    }

    /// The offsets of the fields of a record.
    pub(super) fn offsets<'t>(&self, fields: impl IntoIterator<Item = &'t Type>) -> Vec<usize> {
        self.sizes.field_offsets(fields).into_iter().map(|(offset, _)| offset.size_wasm32()).collect()
    }

    fn room(&mut self, size: usize, align: usize) -> usize {
        let at = self.bytes.len().next_multiple_of(align);
        self.bytes.resize(at + size, 0);
        at
    }

    fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Address and length of a text or list.
    fn slice(&mut self, at: usize, start: usize, length: usize) {
        self.bytes(at, &u32::try_from(start).unwrap().to_le_bytes());
        self.bytes(at + 4, &u32::try_from(length).unwrap().to_le_bytes());
    }

    fn write(&mut self, kind: &Type, value: &Json, at: usize) {
        match (kind, value) {
            (_, Json::Null) => {}
            (_, Json::String(name)) if name.starts_with('<') => {
                assert_eq!(self.places.insert(name.clone(), at), None, "{name} has one place");
            }
            (Type::Bool, Json::Bool(yes)) => self.bytes(at, &[u8::from(*yes)]),
            (Type::U32, Json::Number(number)) => {
                self.bytes(at, &u32::try_from(number.as_u64().unwrap()).unwrap().to_le_bytes());
            }
            (Type::S64 | Type::U64, Json::Number(number)) => {
                self.bytes(at, &number.as_i64().unwrap().to_le_bytes());
            }
            (Type::String, Json::String(text)) => {
                let start = self.room(text.len(), 1);
                self.bytes(start, text.as_bytes());
                self.slice(at, start, text.len());
            }
            (Type::Id(id), value) => {
                let resolve = self.resolve;
                self.defined(&resolve.types[*id].kind, value, at);
            }
            other => panic!("{other:?}"),
        }
    }

    fn defined(&mut self, kind: &TypeDefKind, value: &Json, at: usize) {
        match kind {
            TypeDefKind::Type(of) => self.write(of, value, at),
            TypeDefKind::List(of) => {
                let (size, align) = (self.size(of), self.sizes.align(of).align_wasm32());
                let items = value.as_array().unwrap();
                let start = self.room(size * items.len(), align);
                for (number, item) in items.iter().enumerate() {
                    self.write(of, item, start + number * size);
                }
                self.slice(at, start, items.len());
            }
            TypeDefKind::Record(record) => {
                let offsets = self.offsets(record.fields.iter().map(|field| &field.ty));
                let given = value.as_object().unwrap();
                let known = |name: &String| record.fields.iter().any(|field| field.name == *name);
                assert!(given.keys().all(known), "{value}");
                for (field, offset) in record.fields.iter().zip(offsets) {
                    self.write(&field.ty, &value[&field.name], at + offset);
                }
            }
            TypeDefKind::Option(of) => {
                self.case(&[(String::new(), None), ("some".to_owned(), Some(*of))], "some", value, at)
            }
            TypeDefKind::Result(of) => {
                let cases = [("ok".to_owned(), of.ok), ("err".to_owned(), of.err)];
                self.named_case(&cases, value, at);
            }
            TypeDefKind::Variant(variant) => {
                let cases: Vec<_> = variant.cases.iter().map(|case| (case.name.clone(), case.ty)).collect();
                self.named_case(&cases, value, at);
            }
            other => panic!("{other:?}: {value}"),
        }
    }

    /// A case without content is its name, one with content `{name: content}`.
    fn named_case(&mut self, cases: &[(String, Option<Type>)], value: &Json, at: usize) {
        match value.as_str() {
            Some(name) => self.case(cases, name, &Json::Null, at),
            None => {
                let (name, content) = value.as_object().unwrap().iter().next().unwrap();
                self.case(cases, name, content, at);
            }
        }
    }

    fn case(&mut self, cases: &[(String, Option<Type>)], name: &str, content: &Json, at: usize) {
        let tag = cases.iter().position(|(case, _)| case == name).unwrap_or_else(|| panic!("{name}"));
        self.bytes(at, &[u8::try_from(tag).unwrap()]);
        if let Some(kind) = &cases[tag].1 {
            let payload = self.sizes.payload_offset(Int::U8, cases.iter().map(|(_, kind)| kind.as_ref()));
            self.write(kind, content, at + payload.size_wasm32());
        }
    }
}
