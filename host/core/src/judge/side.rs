//! The two sides of a sync (`Side`), and pairs of values by side (`Sides`).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Index, IndexMut};

/// One of the two exchanges of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Usually the hub.
    Left,
    /// Usually an integration.
    Right,
}

impl Side {
    /// Both, left first.
    pub const BOTH: [Side; 2] = [Side::Left, Side::Right];

    /// The other one.
    pub const fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Left => "left",
            Side::Right => "right",
        })
    }
}

/// A value for each side. Serialised as a list of two, left first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Sides<T> {
    /// The left side's value.
    pub left: T,
    /// The right side's value.
    pub right: T,
}

impl<T> Sides<T> {
    /// Left and right.
    pub const fn new(left: T, right: T) -> Self {
        Self { left, right }
    }

    /// Built from a function of the side, left first.
    #[inline]
    pub fn by(mut of: impl FnMut(Side) -> T) -> Self {
        Self { left: of(Side::Left), right: of(Side::Right) }
    }

    /// `own` for this side, `other` for its opposite.
    #[inline]
    pub fn seen_from(side: Side, own: T, other: T) -> Self {
        match side {
            Side::Left => Self { left: own, right: other },
            Side::Right => Self { left: other, right: own },
        }
    }

    /// Maps both values, left first.
    #[inline]
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Sides<U> {
        Sides { left: f(self.left), right: f(self.right) }
    }

    /// References to both.
    #[inline]
    pub const fn as_ref(&self) -> Sides<&T> {
        Sides { left: &self.left, right: &self.right }
    }

    /// References to both values, left first.
    #[inline]
    pub fn iter(&self) -> std::array::IntoIter<&T, 2> {
        [&self.left, &self.right].into_iter()
    }

    /// Mutable references to both values, left first.
    #[inline]
    pub fn iter_mut(&mut self) -> std::array::IntoIter<&mut T, 2> {
        [&mut self.left, &mut self.right].into_iter()
    }

    /// As an array, left first, to match on.
    #[inline]
    pub fn into_array(self) -> [T; 2] {
        [self.left, self.right]
    }
}

impl<T: PartialEq> Sides<T> {
    /// Whether one of the sides has this value.
    #[inline]
    pub fn contains(&self, value: &T) -> bool {
        self.left == *value || self.right == *value
    }
}

impl<T> Sides<Option<T>> {
    /// Both values, if neither is `None`.
    #[inline]
    pub fn both(self) -> Option<Sides<T>> {
        Some(Sides { left: self.left?, right: self.right? })
    }
}

impl<T> From<[T; 2]> for Sides<T> {
    #[inline]
    fn from([left, right]: [T; 2]) -> Self {
        Self { left, right }
    }
}

impl<T: PartialEq<U>, U> PartialEq<[U; 2]> for Sides<T> {
    fn eq(&self, [left, right]: &[U; 2]) -> bool {
        self.left == *left && self.right == *right
    }
}

impl<T> Index<Side> for Sides<T> {
    type Output = T;

    #[inline]
    fn index(&self, side: Side) -> &T {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}

impl<T> IndexMut<Side> for Sides<T> {
    #[inline]
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

impl<T> IntoIterator for Sides<T> {
    type Item = T;
    type IntoIter = std::array::IntoIter<T, 2>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.into_array().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Sides<T> {
    type Item = &'a T;
    type IntoIter = std::array::IntoIter<&'a T, 2>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Sides<T> {
    type Item = &'a mut T;
    type IntoIter = std::array::IntoIter<&'a mut T, 2>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<T: Serialize> Serialize for Sides<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.left, &self.right).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Sides<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (left, right) = Deserialize::deserialize(deserializer)?;
        Ok(Self { left, right })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_its_own() {
        let mut sides = Sides::new(1, 2);
        sides[Side::Right] += 5;
        assert_eq!((sides[Side::Left], sides[Side::Right]), (1, 7));
        assert_eq!(sides.map(|n| n * 2), [2, 14]);
        assert_eq!(Sides::by(|side| side.to_string()).into_array(), ["left", "right"]);
        assert_eq!(Sides::seen_from(Side::Right, "own", "other"), Sides::new("other", "own"));
        assert_eq!(Sides::new(Some(1), None).both(), None);
    }

    #[test]
    fn it_is_stored_as_a_list_of_two() {
        let sides = Sides::new("a".to_owned(), "b".to_owned());
        let text = serde_json::to_string(&sides).unwrap();
        assert_eq!(text, r#"["a","b"]"#);
        assert_eq!(serde_json::from_str::<Sides<String>>(&text).unwrap(), sides);
        assert!(serde_json::from_str::<Sides<String>>(r#"["a"]"#).is_err());
        assert!(serde_json::from_str::<Sides<String>>(r#"["a","b","c"]"#).is_err());
    }
}
