#include "client/fork_guard.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kvstore::client {
namespace {

// The exit status of a child that leaves with what `in_child` returns.
template <typename Body>
int InForkedChild(const Body& in_child) {
  const pid_t child = fork();
  if (child == 0) _exit(in_child());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ForkGuard, ItsMakerIsNoChild) {
  const ForkGuard guard;
  EXPECT_FALSE(guard.InChild());
  EXPECT_TRUE(guard.Check().ok());
}

TEST(ForkGuard, AChildIsToldToForkEarlier) {
  const ForkGuard guard;
  const int exit = InForkedChild([&] {
    const Status status = guard.Check();
    return status.code() == StatusCode::kFailedPrecondition &&
                   status.message().find("fork before the first client") != std::string::npos
               ? 7
               : 1;
  });
  EXPECT_EQ(exit, 7);
}

TEST(ForkGuard, ForkingChangesNothingForTheParent) {
  const ForkGuard guard;
  EXPECT_EQ(InForkedChild([&] { return guard.InChild() ? 7 : 1; }), 7);
  EXPECT_FALSE(guard.InChild());
}

TEST(ForkGuard, AChildOfAProcessWithAClientMayNotConnect) {
  EXPECT_TRUE(ForkGuard::CheckMayConnect().ok());
  {
    const ForkGuard guard;
    EXPECT_TRUE(ForkGuard::CheckMayConnect().ok());
    EXPECT_EQ(InForkedChild([] {
                return ForkGuard::CheckMayConnect().code() == StatusCode::kFailedPrecondition ? 7
                                                                                              : 1;
              }),
              7);
  }
  EXPECT_EQ(InForkedChild([] { return ForkGuard::CheckMayConnect().ok() ? 7 : 1; }), 7);
}

TEST(ForkGuard, AGuardMadeInTheChildIsAtHomeThere) {
  EXPECT_EQ(InForkedChild([] { return ForkGuard().InChild() ? 1 : 7; }), 7);
}

}  // namespace
}  // namespace kvstore::client
