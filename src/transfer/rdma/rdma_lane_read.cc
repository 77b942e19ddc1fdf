// Reads over a lane: rule 4, over RDMA.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transfer/rdma/rdma_lane.h"

namespace kvstore::transfer {
namespace {

// The only copy there is.
class Alone final : public SliceSink {
 public:
  explicit Alone(std::optional<Completion>* done) : done_(*done) {}
  void Finish(const Slice&, Outcome outcome, Status status) override {
    done_ = Completion{.outcome = outcome, .status = std::move(status), .way = Way::kRdma};
  }

 private:
  std::optional<Completion>& done_;
};

Status Withdrawn(const Copy& copy) {
  return AbortedError("the memory at " + std::to_string(copy.offset) + " of region " +
                      std::to_string(copy.region) + " is no longer that of birth " +
                      std::to_string(copy.guard->birth));
}

}  // namespace

// Where a job of its own would take longer than the bytes, and nearly always the window, too.
// Declines what it would have to ask the holder for. The window is empty, as Carry leaves it.
Status RdmaLane::ReadOne(const Copy& copy, uint64_t size, TimePoint now, Patience& patience,
                         std::optional<Completion>* done) {
  if (!regions_.contains(copy.region) || now - asked_at_ > kAskEvery) {
    return Status::Ok();
  }
  BeginCarry();
  Flight flight;
  flight.slice = {.copy = 0, .offset = 0, .length = size, .cursor = ScatterCursor(copy.pieces)};
  flight.copy = &copy;
  Alone alone(done);
  Status status;
  const Status prepared = Prepare(&flight, patience, &status);
  TwoReads reads;
  bool aimed = false;
  if (!prepared.ok()) {
    alone.Finish(flight.slice, Outcome::kFailed, prepared);
  } else if (Aim(flight, &reads)) {
    aimed = true;
    status = ReadAimed(&reads, alone, &flight, patience);
  } else if (window_.Take(flight)) {
    status = ReadWindow(alone, patience);
  }
  if (!status.ok()) {
    done->reset();
    const bool straight = aimed || window_.ReadsStraight();
    if (!Shut(straight ? &patience : nullptr) && straight) {
      alone.Finish(flight.slice, Outcome::kInDoubt, MayStillCome(status));
    }
  }
  window_.Clear();
  window_.GiveBackStaging();
  return status;
}

bool RdmaLane::Aim(const Flight& flight, TwoReads* reads) {
  const Copy& copy = *flight.copy;
  const bool plain = ends_.guards.rdma_word_after_read && !ends_.guards.at_step;
  if (!plain || !flight.guarded || !copy.proven || copy.pieces.size() != 1) return false;
  auto* const data = static_cast<std::byte*>(copy.pieces.front().data);
  const RdmaRegions::Region* const to = window_.Hold(data, flight.slice.length);
  if (to == nullptr || to->memory[device_] == nullptr || !window_.TakeStaging().ok()) return false;
  const RegionAnswer& from = *flight.region;
  return reads->Aim(0, window_.staging().memory(device_), StagingBuffer::word_offset(0), from.words,
                    flight.word, sizeof(uint64_t)) &&
         reads->Aim(1, *to->memory[device_], static_cast<uint64_t>(data - to->base), from.memory,
                    copy.offset, flight.slice.length);
}

Status RdmaLane::ReadAimed(TwoReads* reads, SliceSink& sink, Flight* flight, Patience& patience) {
  const uint64_t number = next_number_++;
  KVSTORE_RETURN_IF_ERROR(
      Exchange(*reader_, reads->Link(number), number, patience, flight->slice.length));
  CheckWord(0, sink, flight);
  if (!flight->over) Finish(sink, flight, Outcome::kDone, Status::Ok());
  return Status::Ok();
}

void RdmaLane::CheckWord(size_t word, SliceSink& sink, Flight* flight) {
  if (window_.WordOf(word) <= flight->copy->guard->birth) return;
  Finish(sink, flight, Outcome::kFailed, Withdrawn(*flight->copy));
}

void RdmaLane::CheckWords(SliceSink& sink) {
  std::vector<Flight>& flights = window_.flights();
  for (size_t i = 0; i < flights.size(); ++i) {
    if (!flights[i].over && flights[i].guarded) CheckWord(i, sink, &flights[i]);
  }
}

// Where the bytes prove themselves the words are read before them, or beside, in one round trip.
// Else the words' READs stand behind those of the bytes, fenced: a device begins such a request
// only when all READs before it on the queue pair are completed, so when all their bytes have come;
// it is then that the holder's device reads the words. In which order that one carries out READs,
// or repeats them when packets are lost, plays no part in it.
Status RdmaLane::ReadWindow(SliceSink& sink, Patience& patience) {
  KVSTORE_RETURN_IF_ERROR(window_.TakeStaging());
  std::vector<Flight>& flights = window_.flights();
  const auto chain_words = [&] {
    for (size_t i = 0; i < flights.size(); ++i) {
      if (!flights[i].over && flights[i].guarded) window_.ChainWord(i);
    }
  };
  const bool proven = std::all_of(flights.begin(), flights.end(), [](const Flight& flight) {
    return flight.copy->proven || !flight.guarded;
  });
  // A test that switches the guard off, or wants to know when the word was found to stand.
  if (!ends_.guards.rdma_word_after_read || ends_.guards.at_step) {
    chain_words();
    KVSTORE_RETURN_IF_ERROR(Exchange(*reader_, patience, 0));
    CheckWords(sink);
  }
  for (const Flight& flight : flights) {
    if (flight.over || !flight.guarded || !ends_.guards.at_step) continue;
    for (const ShmStep step : {ShmStep::kWordRead, ShmStep::kFirstSlice, ShmStep::kLastSlice}) {
      ends_.guards.at_step(step);
    }
  }
  if (ends_.guards.rdma_word_after_read && proven) chain_words();
  for (const Flight& flight : flights) {
    if (!flight.over) window_.ChainData(flight);
  }
  if (ends_.guards.rdma_word_after_read && !proven) {
    window_.chain().Fence();
    chain_words();
  }
  KVSTORE_RETURN_IF_ERROR(Exchange(*reader_, patience, window_.bytes()));
  CheckWords(sink);
  for (Flight& flight : flights) {
    if (flight.over) continue;
    window_.MoveStaged(flight);
    Finish(sink, &flight, Outcome::kDone, Status::Ok());
  }
  return Status::Ok();
}

}  // namespace kvstore::transfer
