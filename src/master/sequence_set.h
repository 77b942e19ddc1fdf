#ifndef KVSTORE_SRC_MASTER_SEQUENCE_SET_H_
#define KVSTORE_SRC_MASTER_SEQUENCE_SET_H_

#include <cstddef>
#include <cstdint>
#include <map>

namespace kvstore::master {

// A set of put sequences, kept as runs of consecutive ones: a writer that uses up nearly all the
// sequences that it draws costs a few runs, however many there are. Thread-compatible.
class SequenceSet {
 public:
  void Add(uint64_t sequence);
  bool Contains(uint64_t sequence) const;
  size_t runs() const { return runs_.size(); }

  // Adds all that lie between the two lowest runs, which become one. There must be two.
  void FillLowestGap();

 private:
  std::map<uint64_t, uint64_t> runs_;  // first -> last; between two runs something is missing
};

}  // namespace kvstore::master

#endif  // KVSTORE_SRC_MASTER_SEQUENCE_SET_H_
