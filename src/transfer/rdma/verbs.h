#ifndef KVSTORE_SRC_TRANSFER_RDMA_VERBS_H_
#define KVSTORE_SRC_TRANSFER_RDMA_VERBS_H_

#include <infiniband/verbs.h>

#include "kvstore/result.h"

namespace kvstore::transfer {

// The functions of libibverbs that are used, and no others, so that one binary runs with and
// without it and a test can stand in for it. Same names without "ibv_", same meaning. All are
// thread-safe.
struct Verbs {
  int (*fork_init)();
  ibv_device** (*get_device_list)(int* count);
  void (*free_device_list)(ibv_device** list);
  ibv_context* (*open_device)(ibv_device* device);
  int (*close_device)(ibv_context* context);
  int (*query_device)(ibv_context* context, ibv_device_attr* attributes);
  int (*query_port)(ibv_context* context, uint8_t port, ibv_port_attr* attributes);
  ssize_t (*query_gid_table)(ibv_context* context, ibv_gid_entry* entries, size_t max_entries,
                             uint32_t flags, size_t entry_size);
  ibv_pd* (*alloc_pd)(ibv_context* context);
  int (*dealloc_pd)(ibv_pd* pd);
  ibv_mr* (*reg_mr_iova)(ibv_pd* pd, void* address, size_t length, uint64_t iova, int access);
  int (*dereg_mr)(ibv_mr* mr);
  ibv_comp_channel* (*create_comp_channel)(ibv_context* context);
  int (*destroy_comp_channel)(ibv_comp_channel* channel);
  ibv_cq* (*create_cq)(ibv_context* context, int entries, void* cookie, ibv_comp_channel* channel,
                       int vector);
  int (*destroy_cq)(ibv_cq* cq);
  int (*get_cq_event)(ibv_comp_channel* channel, ibv_cq** cq, void** cookie);
  void (*ack_cq_events)(ibv_cq* cq, unsigned count);
  ibv_qp* (*create_qp)(ibv_pd* pd, ibv_qp_init_attr* attributes);
  int (*modify_qp)(ibv_qp* qp, ibv_qp_attr* attributes, int mask);
  int (*destroy_qp)(ibv_qp* qp);
  int (*get_async_event)(ibv_context* context, ibv_async_event* event);
  void (*ack_async_event)(ibv_async_event* event);
  const char* (*wc_status_str)(ibv_wc_status status);
  // Inline in verbs.h, through the context's table.
  int (*poll_cq)(ibv_cq* cq, int entries, ibv_wc* completions);
  int (*req_notify_cq)(ibv_cq* cq, int solicited_only);
  int (*post_send)(ibv_qp* qp, ibv_send_wr* request, ibv_send_wr** bad_request);
  // ibv_is_fork_initialized, of rdma-core 35 and later; null: there is none.
  int (*fork_status)();
};

// Whether the kernel leaves a process that forks the pages that a device knows, as Linux does since
// 5.12: a child gets copies. Before, whoever wrote first got the copy, so that a process and its
// devices could go on with different pages, unless these were kept from children. Shared mappings
// have never had that.
bool KeepsPagesAtFork(const Verbs& verbs);

// Before the first device is opened: on a kernel that doesn't, has the library keep from children
// what drivers share with a device, such as the rings of queue pairs, and all registered memory.
// failed_precondition: it does not, since something was registered before.
Status PrepareForForks(const Verbs& verbs);

// failed_precondition: the environment tells the library, or a driver's part of it, to call the
// destruction of what a failed device holds a success though the kernel has refused it. What is
// closed could not be known then.
Status CheckThatErrorsAreTold();

// The library of this machine, opened once per process and never closed. failed_precondition: there
// is none, or it is too old.
Result<const Verbs*> SystemVerbs();

}  // namespace kvstore::transfer

#endif  // KVSTORE_SRC_TRANSFER_RDMA_VERBS_H_
