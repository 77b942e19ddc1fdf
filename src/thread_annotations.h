#ifndef KVSTORE_SRC_THREAD_ANNOTATIONS_H_
#define KVSTORE_SRC_THREAD_ANNOTATIONS_H_

// clang's thread-safety analysis (the `clang` preset makes its findings errors), and the annotated
// mutex and condition variable that it needs: libstdc++'s own carry no annotations.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "kvstore/clock.h"

#if defined(__clang__)
#define KVSTORE_TS_(x) __attribute__((x))
#else
#define KVSTORE_TS_(x)
#endif

// Abseil, which gRPC's headers bring along, defines these three too, with the same meaning.
#undef GUARDED_BY
#undef PT_GUARDED_BY
#undef NO_THREAD_SAFETY_ANALYSIS

#define CAPABILITY(x) KVSTORE_TS_(capability(x))
#define SCOPED_CAPABILITY KVSTORE_TS_(scoped_lockable)
#define GUARDED_BY(x) KVSTORE_TS_(guarded_by(x))
#define PT_GUARDED_BY(x) KVSTORE_TS_(pt_guarded_by(x))
#define REQUIRES(...) KVSTORE_TS_(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) KVSTORE_TS_(acquire_capability(__VA_ARGS__))
#define RELEASE(...) KVSTORE_TS_(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) KVSTORE_TS_(try_acquire_capability(__VA_ARGS__))
#define EXCLUDES(...) KVSTORE_TS_(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS KVSTORE_TS_(no_thread_safety_analysis)

namespace kvstore {

class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ACQUIRE() { mu_.lock(); }
  void Unlock() RELEASE() { mu_.unlock(); }
  bool TryLock() TRY_ACQUIRE(true) { return mu_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mu) ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~MutexLock() RELEASE() { mu_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

class CondVar {
 public:
  // Wakes at a Notify, at `until`, or spuriously: loop on the condition.
  void WaitUntil(Mutex& mu, TimePoint until) REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    // The standard library adds `until` to readings of other clocks, which far points overflow.
    cv_.wait_until(lock, std::min(until, BootClock::now() + std::chrono::hours(24)));
    lock.release();
  }
  void Wait(Mutex& mu) REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace kvstore

#endif  // KVSTORE_SRC_THREAD_ANNOTATIONS_H_
