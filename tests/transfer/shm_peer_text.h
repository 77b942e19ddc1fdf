#ifndef KVSTORE_TESTS_TRANSFER_SHM_PEER_TEXT_H_
#define KVSTORE_TESTS_TRANSFER_SHM_PEER_TEXT_H_

#include <cstdio>
#include <string>

namespace kvstore::transfer {

// Descriptors hold any bytes; on a command line they travel as hexadecimal digits.
inline std::string ToHex(const std::string& bytes) {
  std::string text;
  char digits[3];
  for (const char byte : bytes) {
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned>(byte) & 0xff);
    text += digits;
  }
  return text;
}

inline std::string FromHex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace kvstore::transfer

#endif  // KVSTORE_TESTS_TRANSFER_SHM_PEER_TEXT_H_
