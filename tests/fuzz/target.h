#ifndef KVSTORE_TESTS_FUZZ_TARGET_H_
#define KVSTORE_TESTS_FUZZ_TARGET_H_

// tests/fuzz: bytes that nobody of ours wrote, into each parser of our own.
//
//   target.h                    what one target is; each program here is one target and main.cc
//   main.cc                     the corpus as one text file a target, and libFuzzer's entry
//   corpus/                     what has found a way that the seeds did not (tools/fuzz --keep)
//   tcp_*, shm_*, rdma_frames, descriptor    what peers send to an engine
//   codec, catalog, holder      what master and nodes send each other
//   state, config, node_config, text, http, demo    what people and files say
//
// Targets link no gRPC.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvstore::fuzz {

// Gives any bytes to what is tested. A sanitizer, or Expect, ends the process where they break
// something.
void Take(std::string_view bytes);

// Valid inputs, and some that are nearly so, for the fuzzer to begin from.
std::vector<std::string> Seeds();

// Ends the process unless `holds`: a finding.
void Expect(bool holds, std::string_view promise);

// Takes parts off an input's front; once it is used up, everything is 0. Borrows the bytes.
class Input {
 public:
  explicit Input(std::string_view bytes) : left_(bytes) {}

  bool empty() const { return left_.empty(); }
  uint8_t Byte();
  // 0 to limit - 1.
  uint32_t Below(uint32_t limit) { return limit == 0 ? 0 : Byte() % limit; }
  // Small ones often, any one possible: the first byte says how many follow.
  uint64_t Number();
  std::string_view Bytes(size_t most);
  std::string_view Rest() { return Bytes(left_.size()); }

 private:
  std::string_view left_;
};

// Parts as an input holds them: a text's lines, say.
std::vector<std::string> Split(std::string_view text, char separator);

// The path of a file that holds these bytes until the next call; never more than one.
std::string FileOf(std::string_view bytes);

}  // namespace kvstore::fuzz

#endif  // KVSTORE_TESTS_FUZZ_TARGET_H_
