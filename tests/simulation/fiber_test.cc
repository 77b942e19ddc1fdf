#include "simulation/fiber.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace kvstore::simulation {
namespace {

// Some stack, so that a frame that was overwritten shows.
int DeepSum(int depth) {
  volatile int mine = depth;
  return depth == 0 ? 0 : mine + DeepSum(depth - 1);
}

TEST(FiberTest, ItGoesOnWhereItWasWithTheStackThatItHad) {
  Fiber thread;
  std::vector<int> order;
  std::unique_ptr<Fiber> a;
  std::unique_ptr<Fiber> b;
  a = std::make_unique<Fiber>([&] {
    const int before = DeepSum(100);
    order.push_back(1);
    a->SwitchTo(b.get());
    order.push_back(3);
    EXPECT_EQ(DeepSum(100), before);
    a->LeaveTo(b.get());
  });
  b = std::make_unique<Fiber>([&] {
    order.push_back(2);
    b->SwitchTo(a.get());
    order.push_back(4);
    b->LeaveTo(&thread);
  });
  thread.SwitchTo(a.get());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

TEST(FiberTest, StacksAreUsedAgain) {
  Fiber thread;
  int sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::unique_ptr<Fiber> fiber;
    fiber = std::make_unique<Fiber>([&] {
      sum += DeepSum(10);
      fiber->LeaveTo(&thread);
    });
    thread.SwitchTo(fiber.get());
  }
  EXPECT_EQ(sum, 550'000);
}

}  // namespace
}  // namespace kvstore::simulation
