#include "simulation/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define KVSTORE_FIBER_ASAN_ 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KVSTORE_FIBER_ASAN_ 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define KVSTORE_FIBER_TSAN_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KVSTORE_FIBER_TSAN_ 1
#endif
#endif

#ifdef KVSTORE_FIBER_ASAN_
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef KVSTORE_FIBER_TSAN_
#include <sanitizer/tsan_interface.h>
#endif

namespace kvstore::simulation {

namespace {

constexpr size_t kStackSize = size_t{512} << 10;  // of which a sanitizer's build needs the most

// Stacks are used again, by later runs too: their pages are there already.
class Stacks {
 public:
  ~Stacks() {
    for (std::byte* stack : free_) munmap(stack, kStackSize);
  }

  std::byte* Take() {
    if (!free_.empty()) {
      std::byte* const stack = free_.back();
      free_.pop_back();
      return stack;
    }
    void* const memory = mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0) throw std::bad_alloc();
    return static_cast<std::byte*>(memory);
  }

  void GiveBack(std::byte* stack) {
#ifdef KVSTORE_FIBER_ASAN_
    ASAN_UNPOISON_MEMORY_REGION(stack, kStackSize);  // frames that were left, not returned from
#endif
    free_.push_back(stack);
  }

 private:
  std::vector<std::byte*> free_;
};

Stacks& ThreadsStacks() {
  thread_local Stacks stacks;
  return stacks;
}

}  // namespace

Fiber::Fiber() {
#ifdef KVSTORE_FIBER_TSAN_
  tsan_ = __tsan_get_current_fiber();
#endif
}

Fiber::Fiber(std::function<void()> body)
    : stack_(ThreadsStacks().Take()), body_(std::move(body)), bottom_(stack_), size_(kStackSize) {
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_;
  context_.uc_stack.ss_size = kStackSize;
  const auto address = reinterpret_cast<uintptr_t>(this);
  makecontext(&context_, reinterpret_cast<void (*)()>(&Fiber::Enter), 2,
              static_cast<unsigned>(address), static_cast<unsigned>(address >> 32));
#ifdef KVSTORE_FIBER_TSAN_
  tsan_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  if (stack_ == nullptr) return;
  ThreadsStacks().GiveBack(stack_);
#ifdef KVSTORE_FIBER_TSAN_
  __tsan_destroy_fiber(tsan_);
#endif
}

void Fiber::SwitchTo(Fiber* next) { Go(next, false); }

void Fiber::LeaveTo(Fiber* next) {
  Go(next, true);
  std::abort();
}

void Fiber::Enter(unsigned low, unsigned high) {
  auto* const self = reinterpret_cast<Fiber*>(static_cast<uintptr_t>(high) << 32 | low);
  self->Arrived();
  self->body_();
  std::abort();
}

void Fiber::Go(Fiber* next, [[maybe_unused]] bool for_good) {
  next->from_ = this;
#ifdef KVSTORE_FIBER_ASAN_
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_, next->bottom_, next->size_);
#endif
#ifdef KVSTORE_FIBER_TSAN_
  __tsan_switch_to_fiber(next->tsan_, 0);
#endif
  swapcontext(&context_, &next->context_);
  Arrived();
}

void Fiber::Arrived() {
#ifdef KVSTORE_FIBER_ASAN_
  __sanitizer_finish_switch_fiber(fake_stack_, &from_->bottom_, &from_->size_);
#endif
}

}  // namespace kvstore::simulation
