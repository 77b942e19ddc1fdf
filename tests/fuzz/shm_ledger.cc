// A ledger that its process has written anything to, read by the holder: only what lies in it, and
// only so many announcements as it has room for.

#include <algorithm>
#include <cstring>
#include <memory>

#include "fuzz/target.h"
#include "transfer/shm/ledger.h"

namespace kvstore::fuzz {

using namespace transfer;

void Take(std::string_view bytes) {
  // On the heap and of exactly its size: whatever is read beyond it is seen.
  static const auto pages = std::make_unique<LedgerPages>();
  std::memset(static_cast<void*>(pages.get()), 0, sizeof(LedgerPages));
  Input input(bytes);
  pages->copies_used = static_cast<uint32_t>(input.Number());
  pages->mappings_used = static_cast<uint32_t>(input.Number());
  while (!input.empty()) {
    LedgerSlot& slot = input.Below(2) == 0 ? pages->copies[input.Number() % kCopySlots]
                                           : pages->mappings[input.Number() % kMappingSlots];
    slot.use = input.Number();
    slot.region = input.Number();
    slot.offset = input.Number();
    slot.length = input.Number();
  }
  const LedgerReader reader(*pages);
  for (const SlotKind kind : {SlotKind::kCopy, SlotKind::kMapping}) {
    std::vector<Stretch> announced;
    reader.Append(kind, 1, &announced);
    Expect(announced.size() <= reader.CountActive(), "what is announced is active");
  }
  Expect(reader.CountActive() <= kCopySlots + kMappingSlots, "slots are as many as there are");
}

std::vector<std::string> Seeds() {
  return {std::string("\x01\x01\x00\x00\x01\x01\x08\x10\x01\x00\x02\x01\x00\x10", 14),
          std::string("\xfb\xff\xff\xff\xff\xfb\xff\xff\xff\xff\x01\xf7\x01\x01\x00\x00", 16)};
}

}  // namespace kvstore::fuzz
