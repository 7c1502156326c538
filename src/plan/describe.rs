//! Parts of steps in words: what was observed counts where the text says nothing.

use super::part::Part;
use crate::schema::Object;
use crate::sql::describe;

/// The same of a part; of one that was observed, what it was seen to change.
pub(crate) fn describe_part(part: &Part) -> (String, String) {
    let (object, action) = describe(&part.operation);
    let seen = part.observed.iter().filter(|observed| observed.unsure.is_none()).flat_map(|o| o.patch.touched());
    let name = |object: &Object| match object {
        Object::Relation(name) | Object::Type(name) | Object::Function(name) => name.to_string(),
        Object::Namespace(name) | Object::Extension(name) => name.to_string(),
    };
    let names: Vec<_> = seen.map(|object| name(&object)).collect();
    match names.as_slice() {
        [] => (object, action),
        [one] => (one.clone(), action),
        [first, ..] => (format!("{first} …"), action),
    }
}
