#ifndef KVSTORE_SRC_GUARD_SWITCH_H_
#define KVSTORE_SRC_GUARD_SWITCH_H_

// A guard is a check without which a rule of docs/protocol.md can be broken. In builds with tests
// each can be switched off, by code or, for a whole program, by the environment variable
// KVSTORE_GUARD_OFF=NAME, so that tools/mutants can show that a test fails then. In all other
// builds it is a constant: there is no switch.
//
//   struct Guards {
//     KVSTORE_GUARD(reuse_after_free_ack);  // rule 3
//   };

#ifdef KVSTORE_GUARD_SWITCHES

#include <cstdlib>
#include <cstring>

namespace kvstore {

inline bool IsGuardOn(const char* name) {
  static const char* const off = std::getenv("KVSTORE_GUARD_OFF");
  return off == nullptr || std::strcmp(off, name) != 0;
}

}  // namespace kvstore

#define KVSTORE_GUARD(name) bool name = ::kvstore::IsGuardOn(#name)
// One that is also an option of users: a variable in all builds.
#define KVSTORE_GUARD_OPTION(name) bool name = ::kvstore::IsGuardOn(#name)

#else

#define KVSTORE_GUARD(name) static constexpr bool name = true
#define KVSTORE_GUARD_OPTION(name) bool name = true

#endif

#endif  // KVSTORE_SRC_GUARD_SWITCH_H_
