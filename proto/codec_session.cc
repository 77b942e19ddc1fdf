#include <algorithm>
#include <string>

#include "proto/codec.h"
#include "proto/codec_parts.h"

namespace kvstore {

void Encode(const Hello& from, v1::Hello* to) {
  to->set_oldest_version(from.oldest_version);
  to->set_newest_version(from.newest_version);
  to->set_software(Text(from.software));
  Encode(from.pool, to->mutable_pool());
  to->set_term(from.term);
  Encode(from.self, to->mutable_self());
  to->set_counter(from.counter);
  EncodeSegments(from.segments, to->mutable_segments());
}

Result<Hello> Decode(const v1::Hello& from) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of the software's version in bytes",
                                      from.software().size(), kMaxNameBytes));
  Hello to;
  to.oldest_version = from.oldest_version();
  to.newest_version = from.newest_version();
  to.software = from.software();
  to.pool = Decode(from.pool());
  to.term = from.term();
  KVSTORE_ASSIGN_OR_RETURN(to.self, Decode(from.self()));
  to.counter = from.counter();
  KVSTORE_RETURN_IF_ERROR(DecodeSegments(from.segments(), &to.segments));
  return to;
}

void Encode(const Welcome& from, v1::Welcome* to) {
  to->set_version(from.version);
  to->set_software(Text(from.software));
  Encode(from.pool, to->mutable_pool());
  to->set_term(from.term);
  to->set_heartbeat_interval_us(EncodeDuration(from.heartbeat_interval));
  to->set_suspect_after_us(EncodeDuration(from.suspect_after));
  to->set_wants_report(from.wants_report);
}

Result<Welcome> Decode(const v1::Welcome& from) {
  KVSTORE_RETURN_IF_ERROR(CheckAtMost("the length of the software's version in bytes",
                                      from.software().size(), kMaxNameBytes));
  if (from.term() == 0) return InvalidArgumentError("a welcome of term 0; terms begin at 1");
  Welcome to;
  to.version = from.version();
  to.software = from.software();
  to.pool = Decode(from.pool());
  to.term = from.term();
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("the heartbeat interval in microseconds",
                                         from.heartbeat_interval_us(), &to.heartbeat_interval));
  KVSTORE_RETURN_IF_ERROR(DecodeDuration("the suspicion time in microseconds",
                                         from.suspect_after_us(), &to.suspect_after));
  to.wants_report = from.wants_report();
  return to;
}

void Encode(const Beat& from, v1::Beat* to) {
  Encode(from.self, to->mutable_incarnation());
  to->set_term(from.term);
}

Beat Decode(const v1::Beat& from) { return {Decode(from.incarnation()), from.term()}; }

void Encode(const BeatReply& from, v1::BeatReply* to) {
  to->set_term(from.term);
  to->set_unknown(from.unknown);
}

BeatReply Decode(const v1::BeatReply& from) { return {from.term(), from.unknown()}; }

void Encode(const VerbHello& from, v1::VerbHello* to) {
  to->set_oldest_version(from.oldest_version);
  to->set_newest_version(from.newest_version);
  Encode(from.self, to->mutable_incarnation());
  to->set_term(from.term);
}

VerbHello Decode(const v1::VerbHello& from) {
  return {from.oldest_version(), from.newest_version(), Decode(from.incarnation()), from.term()};
}

Result<uint32_t> ChooseVersion(uint32_t peer_oldest, uint32_t peer_newest,
                               std::string_view peer_name) {
  const std::string name(peer_name);
  const std::string both = name + " speaks protocol versions " + std::to_string(peer_oldest) +
                           " to " + std::to_string(peer_newest) + ", its peer (kvstore " +
                           KVSTORE_VERSION + ") " + std::to_string(kOldestProtocolVersion) +
                           " to " + std::to_string(kProtocolVersion);
  if (peer_oldest > peer_newest) {
    return InvalidArgumentError(both + ": the first is not a range");
  }
  if (peer_newest < kOldestProtocolVersion) {
    return FailedPreconditionError(both + "; the older side is " + name + ": upgrade it");
  }
  if (peer_oldest > kProtocolVersion) {
    return FailedPreconditionError(both + "; the older side is the peer of " + name +
                                   ": upgrade it");
  }
  return std::min(peer_newest, kProtocolVersion);
}

}  // namespace kvstore
