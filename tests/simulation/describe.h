#ifndef KVSTORE_TESTS_SIMULATION_DESCRIBE_H_
#define KVSTORE_TESTS_SIMULATION_DESCRIBE_H_

#include <string>

#include "proto/verbs.h"

namespace kvstore::simulation {

// Messages in a transcript's words, e.g. "start-put r12 [k3 s7 192 B]". Each is formatted only
// while the transcript is on: see Transcript::Say.

// The first digits of an incarnation.
std::string Short(const Incarnation& incarnation);
std::string ToText(const VerbRequest& request);
std::string ToText(const VerbReply& reply);
std::string ToText(const Orders& orders);
std::string ToText(const Acks& acks);
std::string ToText(const std::vector<LentSegment>& segments);
std::string ToText(const Report& report);

// Defers the formatting until the line is really written.
template <typename Message>
struct Description {
  const Message& message;
  friend std::ostream& operator<<(std::ostream& out, const Description& description) {
    return out << ToText(description.message);
  }
};
template <typename Message>
Description<Message> Describe(const Message& message) {
  return {message};
}

}  // namespace kvstore::simulation

#endif  // KVSTORE_TESTS_SIMULATION_DESCRIBE_H_
