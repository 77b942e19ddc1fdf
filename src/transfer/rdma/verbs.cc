#include "transfer/rdma/verbs.h"

#include <dlfcn.h>
#include <sys/utsname.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace kvstore::transfer {
namespace {

constexpr const char* kLibrary = "libibverbs.so.1";

// Resolves symbols until one is missing.
class Resolver {
 public:
  explicit Resolver(void* library) : library_(library) {}

  template <typename Function>
  void Find(const char* name, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library_, name));
    if (*function == nullptr && missing_.empty()) missing_ = name;
  }
  const std::string& missing() const { return missing_; }

 private:
  void* const library_;
  std::string missing_;
};

Result<Verbs> Load() {
  void* const library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return FailedPreconditionError(std::string("there is no ") + kLibrary +
                                   " on this machine; install rdma-core (Debian: libibverbs1 and "
                                   "ibverbs-providers) to use RDMA");
  }
  Verbs verbs{};
  Resolver find(library);
  find.Find("ibv_fork_init", &verbs.fork_init);
  find.Find("ibv_get_device_list", &verbs.get_device_list);
  find.Find("ibv_free_device_list", &verbs.free_device_list);
  find.Find("ibv_open_device", &verbs.open_device);
  find.Find("ibv_close_device", &verbs.close_device);
  find.Find("ibv_query_device", &verbs.query_device);
  find.Find("ibv_query_port", &verbs.query_port);
  find.Find("_ibv_query_gid_table", &verbs.query_gid_table);
  find.Find("ibv_alloc_pd", &verbs.alloc_pd);
  find.Find("ibv_dealloc_pd", &verbs.dealloc_pd);
  find.Find("ibv_reg_mr_iova", &verbs.reg_mr_iova);
  find.Find("ibv_dereg_mr", &verbs.dereg_mr);
  find.Find("ibv_create_comp_channel", &verbs.create_comp_channel);
  find.Find("ibv_destroy_comp_channel", &verbs.destroy_comp_channel);
  find.Find("ibv_create_cq", &verbs.create_cq);
  find.Find("ibv_destroy_cq", &verbs.destroy_cq);
  find.Find("ibv_get_cq_event", &verbs.get_cq_event);
  find.Find("ibv_ack_cq_events", &verbs.ack_cq_events);
  find.Find("ibv_create_qp", &verbs.create_qp);
  find.Find("ibv_modify_qp", &verbs.modify_qp);
  find.Find("ibv_destroy_qp", &verbs.destroy_qp);
  find.Find("ibv_get_async_event", &verbs.get_async_event);
  find.Find("ibv_ack_async_event", &verbs.ack_async_event);
  find.Find("ibv_wc_status_str", &verbs.wc_status_str);
  if (!find.missing().empty()) {
    return FailedPreconditionError(std::string(kLibrary) + " has no " + find.missing() +
                                   "; RDMA needs rdma-core 32 or later");
  }
  verbs.fork_status = reinterpret_cast<int (*)()>(dlsym(library, "ibv_is_fork_initialized"));
  verbs.poll_cq = [](ibv_cq* cq, int entries, ibv_wc* completions) {
    return cq->context->ops.poll_cq(cq, entries, completions);
  };
  verbs.req_notify_cq = [](ibv_cq* cq, int solicited_only) {
    return cq->context->ops.req_notify_cq(cq, solicited_only);
  };
  verbs.post_send = [](ibv_qp* qp, ibv_send_wr* request, ibv_send_wr** bad_request) {
    return qp->context->ops.post_send(qp, request, bad_request);
  };
  return verbs;
}

}  // namespace

bool KeepsPagesAtFork(const Verbs& verbs) {
  constexpr int kUnneeded = 2;  // of ibv_fork_status: the kernel does it
  if (verbs.fork_status != nullptr) return verbs.fork_status() == kUnneeded;
  utsname kernel{};
  int major = 0, minor = 0;
  if (uname(&kernel) != 0 || std::sscanf(kernel.release, "%d.%d", &major, &minor) != 2)
    return false;
  return std::pair(major, minor) >= std::pair(5, 12);
}

Status PrepareForForks(const Verbs& verbs) {
  if (KeepsPagesAtFork(verbs)) return Status::Ok();
  const int error = verbs.fork_init();
  if (error == 0) return Status::Ok();
  return FailedPreconditionError(
      std::string("this kernel, older than 5.12, gives a process that forks other pages than its "
                  "RDMA devices know, and the library does not keep them from children (") +
      std::strerror(error) +
      "); let ibv_fork_init, or RDMAV_FORK_SAFE=1, come before all other use of RDMA in this "
      "process");
}

Status CheckThatErrorsAreTold() {
  for (const char* const name :
       {"RDMAV_ALLOW_DISASSOC_DESTROY", "MLX4_DEVICE_FATAL_CLEANUP", "MLX5_DEVICE_FATAL_CLEANUP"}) {
    if (std::getenv(name) == nullptr) continue;  // to some versions of the library 0 says it, too
    return FailedPreconditionError(
        std::string(name) +
        " is set, which hides from this process what a device that has failed may still write; "
        "unset it to use RDMA");
  }
  return Status::Ok();
}

Result<const Verbs*> SystemVerbs() {
  static const Result<Verbs> verbs = Load();
  if (!verbs.ok()) return verbs.status();
  return &*verbs;
}

}  // namespace kvstore::transfer
