#include "transfer/fake_verbs.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

namespace kvstore::transfer {
namespace {

struct FakeDevice {
  ibv_device device{};
  FakeFabric::Device options;
  union ibv_gid gid {};
  uint64_t moved = 0;
  bool taken_out = false;
};
struct FakeContext {
  ibv_context context{};
  FakeDevice* device = nullptr;
  std::deque<ibv_event_type> events;
};
struct FakeMr {
  ibv_mr mr{};
  std::byte* base = nullptr;
  uint64_t iova = 0;
  int access = 0;
  FakeDevice* device = nullptr;
};
struct FakeCq {
  ibv_cq cq{};
  std::deque<ibv_wc> completions;
  std::deque<std::pair<TimePoint, ibv_wc>> later;
  std::deque<ibv_wc> hidden;
  size_t looks_left = 0;  // until these show
  bool armed = false;
};
struct FakeQp {
  ibv_qp qp{};
  FakeCq* cq = nullptr;
  FakeDevice* device = nullptr;
  uint32_t peer = 0;
  unsigned access = 0;
  uint32_t max_requests = 0;
  uint32_t max_pieces = 0;
  bool broken = false;
};
struct DelayedWrite {
  uint32_t qp;
  std::byte* to;
  std::vector<std::byte> bytes;
};

// The whole fabric: one lock, since a request touches two devices.
struct Fabric {
  std::mutex mu;
  std::vector<std::unique_ptr<FakeDevice>> devices;
  std::vector<std::unique_ptr<FakeDevice>> former;  // which somebody may have open for ever
  std::map<uint32_t, FakeMr*> memory;               // by key
  std::map<uint32_t, FakeQp*> pairs;
  std::vector<DelayedWrite> delayed;
  std::set<FakeContext*> contexts;
  std::set<FakeCq*> queues;
  size_t looks_to_show = 0;
  FakeFabric::Polling polling;
  FakeFabric::Fate fate;
  int registration_error = 0;
  bool delay_writes = false;
  std::set<std::string> swallowing;
  Duration give_up_after = Duration::max();
  size_t swallowed = 0;
  bool refuse_to_close = false;
  size_t refusals_to_close = 0;
  bool refuse_to_unregister = false;
  std::atomic<int> fork_status = IBV_FORK_UNNEEDED;
  std::atomic<int> fork_init_error = 0;
  std::vector<void*> left;  // what nobody could destroy, for as long as the process lives
  uint32_t next_key = 1000;
  uint32_t next_pair = 100;
};

Fabric& fabric() {
  static Fabric* const the_one = new Fabric();
  return *the_one;
}

template <typename Fake, typename Part>
Fake* Of(Part* part) {
  return reinterpret_cast<Fake*>(part);  // the part is the fake's first member
}

// Words are read while their holder stores them.
void Move(std::byte* to, const std::byte* from, size_t size) {
  const bool word = size == sizeof(uint64_t) && reinterpret_cast<uintptr_t>(from) % 8 == 0;
  if (!word) {
    std::memcpy(to, from, size);
    return;
  }
  const uint64_t value =
      reinterpret_cast<const std::atomic<uint64_t>*>(from)->load(std::memory_order_acquire);
  std::memcpy(to, &value, sizeof(value));
}

// Null: no such memory, or it may not be touched so.
std::byte* Find(uint32_t key, uint64_t address, uint64_t size, int access) {
  const auto found = fabric().memory.find(key);
  if (found == fabric().memory.end()) return nullptr;
  const FakeMr& mr = *found->second;
  if ((mr.access & access) != access || address < mr.iova) return nullptr;
  const uint64_t offset = address - mr.iova;
  if (offset > mr.mr.length || size > mr.mr.length - offset) return nullptr;
  return mr.base + offset;
}

void Land(uint32_t qp) {
  auto& delayed = fabric().delayed;
  for (const DelayedWrite& write : delayed) {
    if (qp == 0 || write.qp == qp) std::memcpy(write.to, write.bytes.data(), write.bytes.size());
  }
  std::erase_if(delayed, [qp](const DelayedWrite& write) { return qp == 0 || write.qp == qp; });
}

ibv_wc_status Execute(FakeQp* pair, const ibv_send_wr& request, ibv_wc_status fate) {
  if (pair->broken) return IBV_WC_WR_FLUSH_ERR;
  if (fate != IBV_WC_SUCCESS) return fate;
  const auto peer = fabric().pairs.find(pair->peer);
  if (peer == fabric().pairs.end() || peer->second->peer != pair->qp.qp_num ||
      pair->device->options.network != peer->second->device->options.network ||
      pair->device->options.state != IBV_PORT_ACTIVE ||
      peer->second->device->options.state != IBV_PORT_ACTIVE) {
    return IBV_WC_RETRY_EXC_ERR;
  }
  const bool reads = request.opcode == IBV_WR_RDMA_READ;
  const unsigned right = reads ? IBV_ACCESS_REMOTE_READ : IBV_ACCESS_REMOTE_WRITE;
  if ((peer->second->access & right) == 0) return IBV_WC_REM_INV_REQ_ERR;
  uint64_t address = request.wr.rdma.remote_addr;
  for (int i = 0; i < request.num_sge; ++i) {
    const ibv_sge& piece = request.sg_list[i];
    std::byte* const there =
        Find(request.wr.rdma.rkey, address, piece.length, static_cast<int>(right));
    if (there == nullptr) return IBV_WC_REM_ACCESS_ERR;
    std::byte* const here =
        Find(piece.lkey, piece.addr, piece.length, reads ? IBV_ACCESS_LOCAL_WRITE : 0);
    if (here == nullptr) return IBV_WC_LOC_PROT_ERR;
    if (reads) {
      Land(pair->qp.qp_num);
      Move(here, there, piece.length);
    } else if (fabric().delay_writes) {
      fabric().delayed.push_back({pair->qp.qp_num, there, {here, here + piece.length}});
    } else {
      std::memcpy(there, here, piece.length);
    }
    address += piece.length;
    pair->device->moved += piece.length;
  }
  return IBV_WC_SUCCESS;
}

void Complete(FakeCq* cq, const ibv_wc& completion) {
  if (fabric().looks_to_show > 0) {
    cq->hidden.push_back(completion);
    cq->looks_left = fabric().looks_to_show;
    return;
  }
  cq->completions.push_back(completion);
  if (!std::exchange(cq->armed, false) || cq->cq.channel == nullptr) return;
  const uint64_t one = 1;
  (void)!write(cq->cq.channel->fd, &one, sizeof(one));
}

// Decided without the lock, so that a test may hold a request up.
ibv_wc_status FateOf(const FakeQp& pair, const ibv_send_wr& request) {
  FakeFabric::Fate fate;
  {
    const std::lock_guard lock(fabric().mu);
    fate = fabric().fate;
  }
  return fate ? fate(pair.device->options.name, request) : IBV_WC_SUCCESS;
}

int PostSend(ibv_qp* qp, ibv_send_wr* request, ibv_send_wr** bad) {
  auto* const pair = Of<FakeQp>(qp);
  uint32_t count = 0;
  bool too_many_pieces = false;
  for (const ibv_send_wr* each = request; each != nullptr; each = each->next) {
    ++count;
    too_many_pieces |= static_cast<uint32_t>(each->num_sge) > pair->max_pieces;
  }
  if (count > pair->max_requests || too_many_pieces) {
    *bad = request;
    return ENOMEM;
  }
  for (; request != nullptr; request = request->next) {
    const ibv_wc_status fate = FateOf(*pair, *request);
    const std::lock_guard lock(fabric().mu);
    if (pair->device->taken_out || fabric().swallowing.contains(pair->device->options.name)) {
      ++fabric().swallowed;
      if (fabric().give_up_after == Duration::max()) continue;
      ibv_wc failed{};
      failed.wr_id = request->wr_id;
      failed.status = IBV_WC_RETRY_EXC_ERR;
      pair->cq->later.emplace_back(BootClock::now() + fabric().give_up_after, failed);
      continue;
    }
    const ibv_wc_status status = Execute(pair, *request, fate);
    if (status != IBV_WC_SUCCESS) pair->broken = true;
    if (status == IBV_WC_SUCCESS && (request->send_flags & IBV_SEND_SIGNALED) == 0) continue;
    ibv_wc completion{};
    completion.wr_id = request->wr_id;
    completion.status = status;
    Complete(pair->cq, completion);
  }
  return 0;
}

ibv_device** GetDeviceList(int* count) {
  const std::lock_guard lock(fabric().mu);
  *count = static_cast<int>(fabric().devices.size());
  auto** const list = new ibv_device*[fabric().devices.size() + 1];
  for (size_t i = 0; i < fabric().devices.size(); ++i) list[i] = &fabric().devices[i]->device;
  list[fabric().devices.size()] = nullptr;
  return list;
}

ibv_context* OpenDevice(ibv_device* device) {
  auto* const fake = Of<FakeDevice>(device);
  if (!fake->options.opens) {
    errno = EACCES;
    return nullptr;
  }
  auto* const context = new FakeContext();
  context->context.device = device;
  context->device = fake;
  context->context.async_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
  const std::lock_guard lock(fabric().mu);
  fabric().contexts.insert(context);
  return &context->context;
}

int CloseDevice(ibv_context* context) {
  const std::lock_guard lock(fabric().mu);
  auto* const fake = Of<FakeContext>(context);
  fabric().contexts.erase(fake);
  close(context->async_fd);
  delete fake;
  return 0;
}

int GetAsyncEvent(ibv_context* context, ibv_async_event* event) {
  const std::lock_guard lock(fabric().mu);
  auto& events = Of<FakeContext>(context)->events;
  uint64_t one = 0;
  if (read(context->async_fd, &one, sizeof(one)) != sizeof(one) || events.empty()) return -1;
  event->event_type = events.front();
  events.pop_front();
  return 0;
}

void Tell(FakeContext* context, ibv_event_type event) {
  context->events.push_back(event);
  const uint64_t one = 1;
  (void)!write(context->context.async_fd, &one, sizeof(one));
}

int QueryDevice(ibv_context* context, ibv_device_attr* attributes) {
  const FakeFabric::Device& device = Of<FakeContext>(context)->device->options;
  *attributes = {};
  attributes->max_mr_size = device.max_mr_size;
  attributes->max_sge = attributes->max_sge_rd = device.max_sge;
  attributes->max_qp_wr = device.max_qp_wr;
  attributes->max_cqe = 1 << 16;
  attributes->max_qp_rd_atom = attributes->max_qp_init_rd_atom = 16;
  return 0;
}

int QueryPort(ibv_context* context, uint8_t, ibv_port_attr* attributes) {
  const std::lock_guard lock(fabric().mu);
  if (Of<FakeContext>(context)->device->taken_out) return EIO;
  *attributes = {};
  attributes->state = Of<FakeContext>(context)->device->options.state;
  attributes->active_mtu = attributes->max_mtu = IBV_MTU_4096;
  attributes->link_layer = IBV_LINK_LAYER_ETHERNET;
  return 0;
}

// As the kernel lists them: a link-local address first, each address as v1 and as v2.
ssize_t QueryGidTable(ibv_context* context, ibv_gid_entry* entries, size_t max_entries, uint32_t,
                      size_t) {
  const FakeDevice& device = *Of<FakeContext>(context)->device;
  if (max_entries < 2) return -EINVAL;
  entries[0] = {};
  entries[0].gid.raw[0] = 0xfe;
  entries[0].gid.raw[1] = 0x80;
  entries[0].gid_index = 0;
  entries[1] = {};
  entries[1].gid = device.gid;
  entries[1].gid_index = 1;
  for (int i = 0; i < 2; ++i) {
    entries[i].port_num = 1;
    entries[i].gid_type = IBV_GID_TYPE_ROCE_V2;
  }
  return 2;
}

ibv_mr* RegMr(ibv_pd* pd, void* address, size_t length, uint64_t iova, int access) {
  const std::lock_guard lock(fabric().mu);
  const FakeDevice& device = *Of<FakeContext>(pd->context)->device;
  errno = device.taken_out ? EIO : fabric().registration_error;
  if (errno != 0) return nullptr;
  if (length > device.options.max_mr_size) {
    errno = EINVAL;
    return nullptr;
  }
  auto* const mr = new FakeMr();
  mr->base = static_cast<std::byte*>(address);
  mr->iova = iova;
  mr->access = access;
  mr->device = Of<FakeContext>(pd->context)->device;
  mr->mr.length = length;
  mr->mr.lkey = mr->mr.rkey = fabric().next_key++;
  fabric().memory[mr->mr.lkey] = mr;
  return &mr->mr;
}

int DeregMr(ibv_mr* mr) {
  const std::lock_guard lock(fabric().mu);
  auto* const fake = Of<FakeMr>(mr);
  if (fake->device->taken_out) {
    fabric().left.push_back(fake);
    return EIO;
  }
  if (fabric().refuse_to_unregister) return EBUSY;
  fabric().memory.erase(mr->lkey);
  delete fake;
  return 0;
}

ibv_comp_channel* CreateChannel(ibv_context* context) {
  auto* const channel = new ibv_comp_channel();
  channel->context = context;
  channel->fd = eventfd(0, EFD_CLOEXEC);
  return channel;
}

ibv_cq* CreateCq(ibv_context* context, int, void*, ibv_comp_channel* channel, int) {
  auto* const cq = new FakeCq();
  cq->cq.context = context;
  cq->cq.channel = channel;
  const std::lock_guard lock(fabric().mu);
  fabric().queues.insert(cq);
  return &cq->cq;
}

int PollCq(ibv_cq* cq, int entries, ibv_wc* completions) {
  const std::lock_guard lock(fabric().mu);
  auto& later = Of<FakeCq>(cq)->later;
  auto& waiting = Of<FakeCq>(cq)->completions;
  auto& hidden = Of<FakeCq>(cq)->hidden;
  ++fabric().polling.looks;
  if (!hidden.empty() && --Of<FakeCq>(cq)->looks_left == 0) {
    waiting.insert(waiting.end(), hidden.begin(), hidden.end());
    hidden.clear();
  }
  while (!later.empty() && later.front().first <= BootClock::now()) {
    waiting.push_back(later.front().second);
    later.pop_front();
  }
  int count = 0;
  for (; count < entries && !waiting.empty(); ++count) {
    completions[count] = waiting.front();
    waiting.pop_front();
  }
  return count;
}

int RequestNotify(ibv_cq* cq, int) {
  const std::lock_guard lock(fabric().mu);
  ++fabric().polling.asked;
  Of<FakeCq>(cq)->armed = true;
  return 0;
}

int GetCqEvent(ibv_comp_channel* channel, ibv_cq** cq, void**) {
  uint64_t count = 0;
  *cq = nullptr;
  if (read(channel->fd, &count, sizeof(count)) != sizeof(count)) return -1;
  const std::lock_guard lock(fabric().mu);
  ++fabric().polling.woken;
  return 0;
}

ibv_qp* CreateQp(ibv_pd* pd, ibv_qp_init_attr* attributes) {
  const std::lock_guard lock(fabric().mu);
  if (Of<FakeContext>(pd->context)->device->taken_out) {
    errno = EIO;
    return nullptr;
  }
  const FakeFabric::Device& device = Of<FakeContext>(pd->context)->device->options;
  if (attributes->cap.max_send_wr > static_cast<uint32_t>(device.max_qp_wr) ||
      attributes->cap.max_send_sge > static_cast<uint32_t>(device.max_sge)) {
    errno = EINVAL;
    return nullptr;
  }
  auto* const pair = new FakeQp();
  pair->qp.context = pd->context;
  pair->qp.qp_num = fabric().next_pair++;
  pair->cq = Of<FakeCq>(attributes->send_cq);
  pair->device = Of<FakeContext>(pd->context)->device;
  pair->max_requests = attributes->cap.max_send_wr;
  pair->max_pieces = attributes->cap.max_send_sge;
  fabric().pairs[pair->qp.qp_num] = pair;
  return &pair->qp;
}

int ModifyQp(ibv_qp* qp, ibv_qp_attr* attributes, int mask) {
  const std::lock_guard lock(fabric().mu);
  auto* const pair = Of<FakeQp>(qp);
  if (pair->device->taken_out) return EIO;
  if (attributes->qp_state == IBV_QPS_RESET && fabric().refuse_to_close) return EIO;
  if ((mask & IBV_QP_ACCESS_FLAGS) != 0) pair->access = attributes->qp_access_flags;
  if ((mask & IBV_QP_DEST_QPN) != 0) pair->peer = attributes->dest_qp_num;
  return 0;
}

// Nothing lands over it any more. What it has sent itself is on its way, and lands if it can.
int DestroyQp(ibv_qp* qp) {
  const std::lock_guard lock(fabric().mu);
  auto* const pair = Of<FakeQp>(qp);
  if (pair->device->taken_out || fabric().refuse_to_close) {
    ++fabric().refusals_to_close;
    return pair->device->taken_out ? EIO : EBUSY;
  }
  fabric().pairs.erase(qp->qp_num);
  std::erase_if(fabric().delayed,
                [&](const DelayedWrite& write) { return write.qp == pair->peer; });
  delete pair;
  return 0;
}

Verbs MakeVerbs() {
  Verbs verbs{};
  verbs.fork_init = [] {
    if (fabric().fork_init_error == 0) fabric().fork_status = IBV_FORK_ENABLED;
    return fabric().fork_init_error.load();
  };
  verbs.get_device_list = GetDeviceList;
  verbs.free_device_list = [](ibv_device** list) { delete[] list; };
  verbs.open_device = OpenDevice;
  verbs.close_device = CloseDevice;
  verbs.query_device = QueryDevice;
  verbs.query_port = QueryPort;
  verbs.query_gid_table = QueryGidTable;
  verbs.alloc_pd = [](ibv_context* context) { return new ibv_pd{context, 0}; };
  verbs.dealloc_pd = [](ibv_pd* pd) {
    delete pd;
    return 0;
  };
  verbs.reg_mr_iova = RegMr;
  verbs.dereg_mr = DeregMr;
  verbs.create_comp_channel = CreateChannel;
  verbs.destroy_comp_channel = [](ibv_comp_channel* channel) {
    close(channel->fd);
    delete channel;
    return 0;
  };
  verbs.create_cq = CreateCq;
  verbs.destroy_cq = [](ibv_cq* cq) {
    const std::lock_guard lock(fabric().mu);
    fabric().queues.erase(Of<FakeCq>(cq));
    delete Of<FakeCq>(cq);
    return 0;
  };
  verbs.get_cq_event = GetCqEvent;
  verbs.ack_cq_events = [](ibv_cq*, unsigned) {};
  verbs.create_qp = CreateQp;
  verbs.modify_qp = ModifyQp;
  verbs.destroy_qp = DestroyQp;
  verbs.get_async_event = GetAsyncEvent;
  verbs.ack_async_event = [](ibv_async_event*) {};
  verbs.wc_status_str = [](ibv_wc_status status) -> const char* {
    return status == IBV_WC_RETRY_EXC_ERR ? "transport retry counter exceeded" : "failed";
  };
  verbs.poll_cq = PollCq;
  verbs.req_notify_cq = RequestNotify;
  verbs.post_send = PostSend;
  verbs.fork_status = [] { return fabric().fork_status.load(); };
  return verbs;
}

}  // namespace

void FakeFabric::SetUp(std::vector<Device> devices) {
  const std::lock_guard lock(fabric().mu);
  Fabric& all = fabric();
  all.fate = nullptr;
  all.registration_error = 0;
  all.delay_writes = false;
  all.looks_to_show = 0;
  all.swallowing.clear();
  all.swallowed = 0;
  all.give_up_after = Duration::max();
  all.refuse_to_close = false;
  all.refusals_to_close = 0;
  all.refuse_to_unregister = false;
  all.fork_status = IBV_FORK_UNNEEDED;
  all.fork_init_error = 0;
  all.delayed.clear();
  std::move(all.devices.begin(), all.devices.end(), std::back_inserter(all.former));
  all.devices.clear();
  all.contexts.clear();
  for (size_t i = 0; i < devices.size(); ++i) {
    auto device = std::make_unique<FakeDevice>();
    if (devices[i].name.empty()) devices[i].name = "fake" + std::to_string(i);
    std::strncpy(device->device.name, devices[i].name.c_str(), sizeof(device->device.name) - 1);
    std::strncpy(device->device.ibdev_path, devices[i].path.c_str(),
                 sizeof(device->device.ibdev_path) - 1);
    device->options = std::move(devices[i]);
    device->gid.raw[10] = device->gid.raw[11] = 0xff;
    const uint8_t address[4] = {203, 0, 113, static_cast<uint8_t>(i + 1)};
    std::memcpy(device->gid.raw + 12, address, sizeof(address));
    all.devices.push_back(std::move(device));
  }
}

void FakeFabric::SetFate(Fate fate) {
  const std::lock_guard lock(fabric().mu);
  fabric().fate = std::move(fate);
}

void FakeFabric::FailRegistrations(int error) {
  const std::lock_guard lock(fabric().mu);
  fabric().registration_error = error;
}

void FakeFabric::DelayWrites(bool delay) {
  const std::lock_guard lock(fabric().mu);
  fabric().delay_writes = delay;
}

void FakeFabric::HideCompletions(size_t looks) {
  const std::lock_guard lock(fabric().mu);
  fabric().looks_to_show = looks;
  if (looks > 0) return;
  for (FakeCq* const cq : fabric().queues) {
    for (const ibv_wc& completion : std::exchange(cq->hidden, {})) Complete(cq, completion);
  }
}

FakeFabric::Polling FakeFabric::polling() {
  const std::lock_guard lock(fabric().mu);
  return fabric().polling;
}

void FakeFabric::Swallow(const std::string& device, bool swallow, Duration give_up_after) {
  const std::lock_guard lock(fabric().mu);
  fabric().give_up_after = give_up_after;
  if (swallow) {
    fabric().swallowing.insert(device);
  } else {
    fabric().swallowing.erase(device);
  }
}

size_t FakeFabric::swallowed() {
  const std::lock_guard lock(fabric().mu);
  return fabric().swallowed;
}

void FakeFabric::RefuseToClose(bool refuse) {
  const std::lock_guard lock(fabric().mu);
  fabric().refuse_to_close = refuse;
}

void FakeFabric::RefuseToUnregister(bool refuse) {
  const std::lock_guard lock(fabric().mu);
  fabric().refuse_to_unregister = refuse;
}

void FakeFabric::SetForkStatus(ibv_fork_status status, int init_error) {
  fabric().fork_status = status;
  fabric().fork_init_error = init_error;
}

ibv_fork_status FakeFabric::fork_status() {
  return static_cast<ibv_fork_status>(fabric().fork_status.load());
}

void FakeFabric::TakeOut(const std::string& name) {
  const std::lock_guard lock(fabric().mu);
  for (const auto& each : fabric().devices) {
    if (each->options.name == name) each->taken_out = true;
  }
  for (auto it = fabric().pairs.begin(); it != fabric().pairs.end();) {
    FakeQp* const pair = it->second;
    const bool gone = pair->device->taken_out;
    if (gone) {
      std::erase_if(fabric().delayed,
                    [&](const DelayedWrite& write) { return write.qp == pair->peer; });
      fabric().left.push_back(pair);
    }
    it = gone ? fabric().pairs.erase(it) : std::next(it);
  }
  std::erase_if(fabric().memory, [](const auto& entry) { return entry.second->device->taken_out; });
  for (FakeContext* const context : fabric().contexts) {
    if (context->device->options.name == name) Tell(context, IBV_EVENT_DEVICE_FATAL);
  }
}

size_t FakeFabric::refusals_to_close() {
  const std::lock_guard lock(fabric().mu);
  return fabric().refusals_to_close;
}

void FakeFabric::LandDelayedWrites() {
  const std::lock_guard lock(fabric().mu);
  Land(0);
}

void FakeFabric::SetPort(const std::string& device, ibv_port_state state, bool tell) {
  const std::lock_guard lock(fabric().mu);
  for (const auto& each : fabric().devices) {
    if (each->options.name == device) each->options.state = state;
  }
  for (FakeContext* const context : fabric().contexts) {
    if (context->device->options.name != device || !tell) continue;
    Tell(context, state == IBV_PORT_ACTIVE ? IBV_EVENT_PORT_ACTIVE : IBV_EVENT_PORT_ERR);
  }
}

uint64_t FakeFabric::bytes_moved(const std::string& device) {
  const std::lock_guard lock(fabric().mu);
  for (const auto& each : fabric().devices) {
    if (each->options.name == device) return each->moved;
  }
  return 0;
}

size_t FakeFabric::queue_pairs() {
  const std::lock_guard lock(fabric().mu);
  return fabric().pairs.size();
}

size_t FakeFabric::registrations() {
  const std::lock_guard lock(fabric().mu);
  return fabric().memory.size();
}

const void* FakeFabric::MemoryOf(uint32_t key) {
  const std::lock_guard lock(fabric().mu);
  const auto found = fabric().memory.find(key);
  return found == fabric().memory.end() ? nullptr : found->second->base;
}

const Verbs& FakeFabric::verbs() {
  static const Verbs verbs = MakeVerbs();
  return verbs;
}

}  // namespace kvstore::transfer
