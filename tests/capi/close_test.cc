#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "capi/capi_test.h"

namespace kvstore {
namespace {

class CapiCloseTest : public CapiTest {};

TEST_F(CapiCloseTest, TheClosedClientsObjectsAreGone) {
  const Owned<kvclient> reader = Connect(0, "reader");
  Owned<kvclient> holder = Connect(kMiB, "holder");
  ASSERT_EQ(Put(holder.get(), "key", "value"), KVCLIENT_OK);
  EXPECT_EQ(Get(reader.get(), "key"), "value");
  holder.reset();
  EXPECT_EQ(Get(reader.get(), "key"), "not_found");
}

// What a child found, as its exit status.
int ExitOf(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(CapiCloseTest, AForkedChildIsRefused) {
  const Owned<kvclient> client = Connect(kMiB);
  ASSERT_EQ(Put(client.get(), "key", "value"), KVCLIENT_OK);
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    uint64_t number = 0;
    const kvclient_key key = kvclient_text_key("key");
    const std::array<kvclient_code, 4> codes{
        kvclient_exists(client.get(), &key, 1, kPatienceMs, nullptr),
        kvclient_counter(client.get(), "gets_ok", &number),
        kvclient_incarnation(client.get(), &number, &number),
        kvclient_close(client.get()),
    };
    int wrong = 0;
    for (const kvclient_code code : codes) wrong += code != KVCLIENT_FAILED_PRECONDITION;
    _exit(wrong);
  }
  EXPECT_EQ(ExitOf(child), 0);
  EXPECT_EQ(Get(client.get(), "key"), "value");  // the parent goes on
}

}  // namespace
}  // namespace kvstore
