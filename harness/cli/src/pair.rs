//! Values of options such as `NAME=VALUE`.

/// Splits at the first `=`.
///
/// # Errors
/// There is none, or nothing on one side of it.
pub fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (left, right) = text.split_once('=').ok_or("there is no `=` in it")?;
    if left.is_empty() || right.is_empty() {
        Err("a side of the `=` is empty")
    } else {
        Ok((left.to_owned(), right.to_owned()))
    }
}
