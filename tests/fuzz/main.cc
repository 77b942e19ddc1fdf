// libFuzzer's entry, and the corpus as one text file that git can carry:
//
//   fuzz_NAME --unpack FILE FOLDER    the target's seeds and FILE's inputs, as files
//   fuzz_NAME --pack FOLDER FILE      back: the shortest first, until FILE is large enough
//
// A line is an input: "t" and text in which \xNN stands for a byte, or "x" and hexadecimal digits.
// Lines that begin with "#" tell why the one below is kept; packing leaves both where they are.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "fuzz/target.h"
#include "text/key_text.h"

namespace kvstore::fuzz {
namespace {

constexpr size_t kMaxCorpusBytes = 16 << 10;
constexpr size_t kMaxInputs = 150;

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

std::string ToLine(std::string_view bytes) {
  const std::string text = "t" + text::Escape(bytes);
  const std::string hex = "x" + Hex(bytes);
  return text.size() <= hex.size() ? text : hex;
}

std::string FromLine(const std::string& line) {
  if (line.starts_with('t')) return *text::Unescape(std::string_view(line).substr(1));
  std::string bytes;
  for (size_t i = 1; i + 1 < line.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> Lines(const std::string& path) {
  std::vector<std::string> lines = Split(ReadAll(path), '\n');
  std::erase(lines, "");
  return lines;
}

void Unpack(const std::string& file, const std::string& folder) {
  std::vector<std::string> inputs = Seeds();
  for (const std::string& line : Lines(file)) {
    if (!line.starts_with('#')) inputs.push_back(FromLine(line));
  }
  std::filesystem::create_directories(folder);
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::ofstream(folder + "/" + std::to_string(i), std::ios::binary) << inputs[i];
  }
}

void Pack(const std::string& folder, const std::string& file) {
  const std::vector<std::string> before = Lines(file);
  std::vector<std::string> lines;
  std::set<std::string> known;
  for (size_t i = 0; i + 1 < before.size(); ++i) {  // those with a reason stay
    if (before[i].starts_with('#') && !before[i + 1].starts_with('#')) {
      lines.insert(lines.end(), {before[i], before[i + 1]});
    }
  }
  for (const std::string& seed : Seeds()) known.insert(ToLine(seed));
  known.insert(lines.begin(), lines.end());
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    found.push_back(ToLine(ReadAll(entry.path())));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  size_t bytes = 0;
  for (const std::string& line : found) {
    bytes += line.size() + 1;
    if (bytes > kMaxCorpusBytes || lines.size() == kMaxInputs) break;
    if (known.insert(line).second) lines.push_back(line);
  }
  std::ofstream out(file, std::ios::binary);
  for (const std::string& line : lines) out << line << '\n';
}

}  // namespace

void Expect(bool holds, std::string_view promise) {
  if (holds) return;
  std::cerr << "kvstore fuzz: broken: " << promise << std::endl;
  std::abort();
}

uint8_t Input::Byte() {
  if (left_.empty()) return 0;
  const auto byte = static_cast<uint8_t>(left_[0]);
  left_.remove_prefix(1);
  return byte;
}

uint64_t Input::Number() {
  const uint8_t first = Byte();
  if (first < 248) return first;
  uint64_t number = 0;
  for (int i = 0; i <= first - 248; ++i) number = number << 8 | Byte();
  return number;
}

std::string_view Input::Bytes(size_t most) {
  const std::string_view bytes = left_.substr(0, most);
  left_.remove_prefix(bytes.size());
  return bytes;
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string FileOf(std::string_view bytes) {
  static const int fd = memfd_create("kvstore-fuzz", MFD_CLOEXEC);
  const bool written = ftruncate(fd, 0) == 0 && pwrite(fd, bytes.data(), bytes.size(), 0) ==
                                                    static_cast<ssize_t>(bytes.size());
  Expect(written, "the test can write a file");
  return "/proc/self/fd/" + std::to_string(fd);
}

}  // namespace kvstore::fuzz

extern "C" int LLVMFuzzerInitialize(int* count, char*** words) {
  const std::vector<std::string> told(*words + 1, *words + *count);
  if (told.size() != 3 || (told[0] != "--unpack" && told[0] != "--pack")) return 0;
  (told[0] == "--pack" ? kvstore::fuzz::Pack : kvstore::fuzz::Unpack)(told[1], told[2]);
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kvstore::fuzz::Take({reinterpret_cast<const char*>(data), size});
  return 0;
}
