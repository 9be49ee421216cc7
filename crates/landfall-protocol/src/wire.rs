//! How the types of the API become JSON and come back: the Stone rules, once.
//!
//! [`Wire`] is written for each type by two macros: [`wire_struct!`](crate::wire_struct) and
//! [`wire_union!`](crate::wire_union). The official rules are unusual enough (a void union
//! member may be a bare string, `.tag` must be the first key, a struct inside a union is laid
//! flat beside its tag) that a general derive can't express them, and the server owes its
//! callers the API's own sentences for what is wrong with an argument.
//!
//! Reading has two [`Strictness`]es because the two sides of the wire have different duties:
//! the server refuses what it doesn't know, a client ignores it.

use serde_json::{Map, Value};
use std::fmt;

/// How much the reader forgives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// A server reading arguments: unknown fields and tags are errors.
    Strict,
    /// A client reading answers: unknown fields are ignored, unknown tags of open unions
    /// become `Other`.
    Lenient,
}

/// What is wrong with a JSON value, and where in it.
///
/// Its text is the part of the API's 400 answer that follows the location, for example
/// `cursor: missing required field 'session_id'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    at: String,
    problem: String,
}

impl DecodeError {
    /// A problem with the value itself; callers further out add the path with [`Self::within`].
    pub fn new(problem: impl Into<String>) -> Self {
        Self {
            at: String::new(),
            problem: problem.into(),
        }
    }

    /// The value had another JSON type than the one the API wants.
    pub fn wrong_type(value: &Value, wanted: &str) -> Self {
        Self::new(format!(
            "'{}' expected to be {wanted}, got {}",
            shown(value),
            type_name(value)
        ))
    }

    /// The same problem, seen from the struct that holds the value in `field`.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        self.at = match self.at.as_str() {
            "" => field.to_owned(),
            inner if inner.starts_with('[') => format!("{field}{inner}"),
            inner => format!("{field}.{inner}"),
        };
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for DecodeError {}

/// The value as the API's own messages show it: cut short, so that a hostile argument can't
/// make the answer large.
fn shown(value: &Value) -> String {
    const MOST: usize = 200;
    let text = match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    shorten(&text, MOST)
}

/// At most `most` characters of a text, with `...` where something was left out. Control
/// characters are written as JSON's escapes: what is shown ends up on screens and in logs.
pub fn shorten(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == most {
            return shown + "...";
        }
        if character.is_control() {
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// A type of the API: reads itself from JSON and writes itself as JSON.
pub trait Wire: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// What the API says of a value that is not of this type.
    fn decode(value: &Value, strictness: Strictness) -> Result<Self, DecodeError>;

    /// Writes the value; `.tag`, where there is one, is the first key (the Rust and Java SDKs
    /// look at the first key only).
    fn encode(&self) -> Value;

    /// What a missing field means; `None`: the field is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether the field is left out of the JSON (an unset optional field).
    fn omitted(&self) -> bool {
        false
    }

    /// The union tags in this value from the outside in: the chain of an `error_summary`.
    /// Struct layers add nothing of their own.
    fn tags(&self, _out: &mut Vec<&'static str>) {}

    /// Every chain of tags that a value of this type can have, joined by `/`; none for types
    /// without unions. The tables of the API are checked against it.
    fn tag_paths() -> Vec<String> {
        Vec::new()
    }
}

/// The tag paths below one union member.
pub fn paths_below(tag: &str, inner: Vec<String>) -> Vec<String> {
    if inner.is_empty() {
        return vec![tag.to_owned()];
    }
    inner.iter().map(|path| format!("{tag}/{path}")).collect()
}

/// A struct of the API: its fields can also lie flat inside another object, beside the `.tag`
/// of a union or the fields of a struct that extends it.
pub trait Fields: Sized {
    /// Whether the struct has a field of this name.
    fn knows(name: &str) -> bool;
    /// Reads the fields out of an object, ignoring other keys.
    ///
    /// # Errors
    /// What the API says of a field that is missing or of the wrong type.
    fn decode_fields(
        object: &Map<String, Value>,
        strictness: Strictness,
    ) -> Result<Self, DecodeError>;
    /// Writes the fields into an object.
    fn encode_fields(&self, object: &mut Map<String, Value>);
    /// The tags of the unions among the fields, in order.
    fn field_tags(&self, out: &mut Vec<&'static str>);
}

/// The object in a value, or the error that says what was found instead.
///
/// # Errors
/// The value is not an object.
pub fn object(value: &Value) -> Result<&Map<String, Value>, DecodeError> {
    value
        .as_object()
        .ok_or_else(|| DecodeError::wrong_type(value, "an object"))
}

/// Reads a whole struct: its fields, and under [`Strictness::Strict`] nothing beside them.
///
/// # Errors
/// A field is missing, of the wrong type, or unknown.
pub fn decode_struct<T: Fields>(value: &Value, strictness: Strictness) -> Result<T, DecodeError> {
    let object = object(value)?;
    refuse_unknown(object, strictness, T::knows)?;
    T::decode_fields(object, strictness)
}

/// Under [`Strictness::Strict`], an error for the first key that `known` doesn't know.
///
/// # Errors
/// `unknown field 'x'`
pub fn refuse_unknown(
    object: &Map<String, Value>,
    strictness: Strictness,
    known: impl Fn(&str) -> bool,
) -> Result<(), DecodeError> {
    if strictness == Strictness::Lenient {
        return Ok(());
    }
    match object.keys().find(|key| !known(key)) {
        None => Ok(()),
        Some(key) => Err(DecodeError::new(format!(
            "unknown field '{}'",
            shorten(key, 100)
        ))),
    }
}

/// Reads one field of an object; `default` is what the API's specification gives it.
///
/// # Errors
/// The field is required and missing, or its value is wrong.
pub fn field<T: Wire>(
    object: &Map<String, Value>,
    name: &str,
    strictness: Strictness,
    default: Option<T>,
) -> Result<T, DecodeError> {
    match object.get(name) {
        Some(value) => T::decode(value, strictness).map_err(|error| error.within(name)),
        None => default
            .or_else(T::absent)
            .ok_or_else(|| DecodeError::new(format!("missing required field '{name}'"))),
    }
}

/// Writes one field, unless it is an unset optional one.
pub fn put_field<T: Wire>(object: &mut Map<String, Value>, name: &str, value: &T) {
    if !value.omitted() {
        object.insert(name.to_owned(), value.encode());
    }
}

/// The object `{".tag": tag}`.
pub fn tagged(tag: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert(".tag".to_owned(), Value::String(tag.to_owned()));
    object
}

/// The tag of a union value and the object around it (none for the bare-string form).
///
/// # Errors
/// The value is neither a string nor an object with a string under `.tag`.
pub fn tag_of(value: &Value) -> Result<(&str, Option<&Object>), DecodeError> {
    match value {
        Value::String(tag) => Ok((tag, None)),
        Value::Object(object) => match object.get(".tag") {
            Some(Value::String(tag)) => Ok((tag, Some(object))),
            Some(other) => Err(DecodeError::wrong_type(other, "a string").within(".tag")),
            None => Err(DecodeError::new("missing '.tag' key")),
        },
        other => Err(DecodeError::wrong_type(other, "a string or object")),
    }
}

impl Wire for bool {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        value
            .as_bool()
            .ok_or_else(|| DecodeError::wrong_type(value, "a boolean"))
    }
    fn encode(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Wire for u64 {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        match value {
            Value::Number(number) => number.as_u64().ok_or_else(|| {
                if number.is_i64() {
                    DecodeError::new(format!("{number} is not greater than or equal to 0"))
                } else {
                    DecodeError::wrong_type(value, "an integer")
                }
            }),
            other => Err(DecodeError::wrong_type(other, "an integer")),
        }
    }
    fn encode(&self) -> Value {
        Value::from(*self)
    }
}

impl Wire for f64 {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        value
            .as_f64()
            .ok_or_else(|| DecodeError::wrong_type(value, "a float"))
    }
    fn encode(&self) -> Value {
        Value::from(*self)
    }
}

impl Wire for String {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        text(value).map(str::to_owned)
    }
    fn encode(&self) -> Value {
        Value::String(self.clone())
    }
}

/// The string in a value.
///
/// # Errors
/// `'…' expected to be a string, got …`
pub fn text(value: &Value) -> Result<&str, DecodeError> {
    value
        .as_str()
        .ok_or_else(|| DecodeError::wrong_type(value, "a string"))
}

/// A void argument or result: JSON `null`.
impl Wire for () {
    fn decode(value: &Value, strictness: Strictness) -> Result<Self, DecodeError> {
        if value.is_null() || strictness == Strictness::Lenient {
            Ok(())
        } else {
            Err(DecodeError::wrong_type(value, "null"))
        }
    }
    fn encode(&self) -> Value {
        Value::Null
    }
    fn absent() -> Option<Self> {
        Some(())
    }
}

impl<T: Wire> Wire for Option<T> {
    fn decode(value: &Value, strictness: Strictness) -> Result<Self, DecodeError> {
        match value {
            Value::Null => Ok(None),
            value => T::decode(value, strictness).map(Some),
        }
    }
    fn encode(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::encode)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn omitted(&self) -> bool {
        self.is_none()
    }
    fn tags(&self, out: &mut Vec<&'static str>) {
        if let Some(value) = self {
            value.tags(out);
        }
    }
    fn tag_paths() -> Vec<String> {
        T::tag_paths()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn decode(value: &Value, strictness: Strictness) -> Result<Self, DecodeError> {
        let Value::Array(items) = value else {
            return Err(DecodeError::wrong_type(value, "a list"));
        };
        items
            .iter()
            .enumerate()
            .map(|(n, item)| {
                T::decode(item, strictness).map_err(|error| error.within(&format!("[{n}]")))
            })
            .collect()
    }
    fn encode(&self) -> Value {
        Value::Array(self.iter().map(T::encode).collect())
    }
}

/// Declares a struct of the API and its JSON form.
///
/// A field with `= value` has that default in the specification; an `Option` field may be
/// missing or null; any other field is required. `extends parent: Type` in the head lays the fields
/// of another struct flat into this one, as the specification's inheritance does.
#[macro_export]
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(extends $parent:ident: $ptype:ty)? {
            $( $(#[$fmeta:meta])* $field:ident: $ftype:ty $(= $default:expr)?, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( #[doc = "The fields that it extends."] pub $parent: $ptype, )?
            $( $(#[$fmeta])* pub $field: $ftype, )*
        }

        impl $crate::wire::Fields for $name {
            fn knows(name: &str) -> bool {
                $( if <$ptype as $crate::wire::Fields>::knows(name) { return true; } )?
                [$( stringify!($field) ),*].contains(&name)
            }
            fn decode_fields(
                object: &$crate::wire::Object,
                strictness: $crate::wire::Strictness,
            ) -> Result<Self, $crate::wire::DecodeError> {
                Ok(Self {
                    $( $parent: $crate::wire::Fields::decode_fields(object, strictness)?, )?
                    $( $field: $crate::wire::field(
                        object,
                        stringify!($field),
                        strictness,
                        $crate::wire_struct!(@default $($default)?),
                    )?, )*
                })
            }
            fn encode_fields(&self, object: &mut $crate::wire::Object) {
                $( $crate::wire::Fields::encode_fields(&self.$parent, object); )?
                $( $crate::wire::put_field(object, stringify!($field), &self.$field); )*
            }
            fn field_tags(&self, out: &mut Vec<&'static str>) {
                $( $crate::wire::Fields::field_tags(&self.$parent, out); )?
                $( $crate::wire::Wire::tags(&self.$field, out); )*
            }
        }

        impl $crate::wire::Wire for $name {
            fn decode(
                value: &$crate::wire::Json,
                strictness: $crate::wire::Strictness,
            ) -> Result<Self, $crate::wire::DecodeError> {
                $crate::wire::decode_struct(value, strictness)
            }
            fn encode(&self) -> $crate::wire::Json {
                let mut object = $crate::wire::Object::new();
                $crate::wire::Fields::encode_fields(self, &mut object);
                $crate::wire::Json::Object(object)
            }
            fn tags(&self, out: &mut Vec<&'static str>) {
                $crate::wire::Fields::field_tags(self, out);
            }
            fn tag_paths() -> Vec<String> {
                #[allow(unused_mut, reason = "structs without fields")]
                let mut paths: Vec<String> = Vec::new();
                $( paths.extend(<$ptype as $crate::wire::Wire>::tag_paths()); )?
                $( paths.extend(<$ftype as $crate::wire::Wire>::tag_paths()); )*
                paths
            }
        }
    };
    (@default) => { None };
    (@default $default:expr) => { Some($default) };
}

/// Declares a union of the API and its JSON form.
///
/// `open` unions get a last variant `Other`, which stands for tags newer than this code;
/// `closed` ones refuse an unknown tag. After a variant's type, `flat` says that it is a
/// struct laid beside the tag, `under` that its value stands under a key equal to the tag.
#[macro_export]
macro_rules! wire_union {
    (
        $(#[$meta:meta])*
        pub open union $name:ident {
            $( $(#[$vmeta:meta])* $variant:ident $(($vtype:ty) $how:ident)? = $tag:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "files are the usual case, not the rare one")]
        pub enum $name {
            $( $(#[$vmeta])* $variant $(($vtype))?, )*
            /// A member that is newer than this code (the union is open), or `other` itself.
            Other,
        }
        $crate::wire_union!(@impl $name [Other] $( $variant $(($vtype) $how)? = $tag, )*);
    };
    (
        $(#[$meta:meta])*
        pub closed union $name:ident {
            $( $(#[$vmeta:meta])* $variant:ident $(($vtype:ty) $how:ident)? = $tag:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "files are the usual case, not the rare one")]
        pub enum $name {
            $( $(#[$vmeta])* $variant $(($vtype))?, )*
        }
        $crate::wire_union!(@impl $name [] $( $variant $(($vtype) $how)? = $tag, )*);
    };
    (@impl $name:ident [$($other:ident)?]
        $( $variant:ident $(($vtype:ty) $how:ident)? = $tag:literal, )*
    ) => {
        impl $name {
            /// The member's tag.
            pub fn tag(&self) -> &'static str {
                match self {
                    $( $crate::wire_union!(@pattern $variant $($how)?) => $tag, )*
                    $( Self::$other => "other", )?
                }
            }
        }

        impl $crate::wire::Wire for $name {
            fn decode(
                value: &$crate::wire::Json,
                strictness: $crate::wire::Strictness,
            ) -> Result<Self, $crate::wire::DecodeError> {
                let (tag, _object) = $crate::wire::tag_of(value)?;
                match tag {
                    $( $tag => $crate::wire_union!(
                        @decode $variant $tag, _object, strictness $(, $vtype, $how)?
                    ), )*
                    $( _unknown if strictness == $crate::wire::Strictness::Lenient => {
                        Ok(Self::$other)
                    } )?
                    unknown => Err($crate::wire::DecodeError::new(format!(
                        "unknown tag '{}'",
                        $crate::wire::shorten(unknown, 100)
                    ))),
                }
            }
            fn encode(&self) -> $crate::wire::Json {
                #[allow(unused_mut, reason = "unions of void members only")]
                let mut object = $crate::wire::tagged(self.tag());
                match self {
                    $( $crate::wire_union!(@binding inner $variant $($how)?) => {
                        $crate::wire_union!(@encode inner object $tag $($how)?);
                    } )*
                    $( Self::$other => {} )?
                }
                $crate::wire::Json::Object(object)
            }
            fn tags(&self, out: &mut Vec<&'static str>) {
                out.push(self.tag());
                match self {
                    $( $crate::wire_union!(@binding inner $variant $($how)?) => {
                        $crate::wire_union!(@tags inner out $($how)?);
                    } )*
                    $( Self::$other => {} )?
                }
            }
            fn tag_paths() -> Vec<String> {
                let mut paths = Vec::new();
                $( paths.extend($crate::wire::paths_below(
                    $tag,
                    $crate::wire_union!(@paths $($vtype)?),
                )); )*
                paths
            }
        }
    };

    (@paths) => { Vec::new() };
    (@paths $vtype:ty) => { <$vtype as $crate::wire::Wire>::tag_paths() };

    (@pattern $variant:ident) => { Self::$variant };
    (@pattern $variant:ident $how:ident) => { Self::$variant(_) };

    (@binding $inner:ident $variant:ident) => { Self::$variant };
    (@binding $inner:ident $variant:ident $how:ident) => { Self::$variant($inner) };

    (@decode $variant:ident $tag:literal, $object:ident, $strictness:ident) => {{
        if let Some(object) = $object {
            // Some services write a void member's key with a null value.
            $crate::wire::refuse_unknown(object, $strictness, |key| {
                key == ".tag" || (key == $tag && object[key].is_null())
            })?;
        }
        Ok(Self::$variant)
    }};
    (@decode $variant:ident $tag:literal, $object:ident, $strictness:ident, $vtype:ty, flat) => {{
        let empty = $crate::wire::Object::new();
        let object = $object.unwrap_or(&empty);
        $crate::wire::refuse_unknown(object, $strictness, |key| {
            key == ".tag" || <$vtype as $crate::wire::Fields>::knows(key)
        })?;
        <$vtype as $crate::wire::Fields>::decode_fields(object, $strictness).map(Self::$variant)
    }};
    (@decode $variant:ident $tag:literal, $object:ident, $strictness:ident, $vtype:ty, under) => {{
        let empty = $crate::wire::Object::new();
        let object = $object.unwrap_or(&empty);
        $crate::wire::refuse_unknown(object, $strictness, |key| key == ".tag" || key == $tag)?;
        $crate::wire::field::<$vtype>(object, $tag, $strictness, None).map(Self::$variant)
    }};

    (@encode $inner:ident $object:ident $tag:literal) => {};
    (@encode $inner:ident $object:ident $tag:literal flat) => {
        $crate::wire::Fields::encode_fields($inner, &mut $object)
    };
    (@encode $inner:ident $object:ident $tag:literal under) => {
        $crate::wire::put_field(&mut $object, $tag, $inner)
    };

    (@tags $inner:ident $out:ident) => {};
    (@tags $inner:ident $out:ident flat) => { $crate::wire::Fields::field_tags($inner, $out) };
    (@tags $inner:ident $out:ident under) => { $crate::wire::Wire::tags($inner, $out) };
}

/// The JSON value type behind the macros; an alias keeps their expansion short.
pub use serde_json::Value as Json;

/// The JSON object type behind the macros.
pub type Object = Map<String, Value>;

/// A value that is carried as it came.
impl Wire for Value {
    fn decode(value: &Value, _: Strictness) -> Result<Self, DecodeError> {
        Ok(value.clone())
    }
    fn encode(&self) -> Value {
        self.clone()
    }
}

#[cfg(test)]
mod tests;
