#ifndef KVSTORE_SRC_TEXT_KEY_TEXT_H_
#define KVSTORE_SRC_TEXT_KEY_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "kvstore/result.h"

namespace kvstore::text {

// Length in bytes of the UTF-8 character that `bytes` begins with; 0: it begins with none.
size_t Utf8CharacterAt(std::string_view bytes);
bool IsUtf8(std::string_view bytes);

// Bytes for a terminal: characters that can be shown as they are, a backslash as \\, all else
// (control characters, marks that turn the direction of writing, bytes that are not UTF-8) as \xNN.
// Different bytes give different texts.
std::string Escape(std::string_view bytes);
// The bytes that Escape shows so. invalid_argument: a backslash that begins none of its forms.
Result<std::string> Unescape(std::string_view text);

// UTF-8 of at most `most` characters (8 or more): the middle of a longer text is left out, "..."
// stands for it.
std::string Shorten(std::string_view text, size_t most);

// RFC 4648, with padding.
std::string Base64(std::string_view bytes);

}  // namespace kvstore::text

#endif  // KVSTORE_SRC_TEXT_KEY_TEXT_H_
