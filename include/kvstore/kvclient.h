#ifndef KVSTORE_KVCLIENT_H_
#define KVSTORE_KVCLIENT_H_

// The store's API for C, and for every language that can call C: put, get and lend memory as
// kvstore/client.h has it, which says more about each verb. One promise rules it: a get returns
// exactly the bytes that were committed under its key, or an error; never other bytes.
//
//   kvclient             a member of a pool: kvclient_connect ... kvclient_close
//   kvclient_results     what became of each item of one call
//   kvclient_session     objects located once, then read part by part
//   kvclient_view        an object read where it lies
//   kvclient_new_object  an object filled where it will lie
//
// ABI. All handles are opaque. The structs below are frozen: no field is ever added, and a call
// that needs more gets another struct and another name. Numbers of constants never change.
// Functions are only added as long as kvclient_abi_version() stays, which is also the number in the
// library's name, libkvclient.so.N.
//
// Errors. A function that returns kvclient_code never throws, and never ends the process for what
// it was given: a null or nonsensical argument is KVCLIENT_INVALID_ARGUMENT, no memory is
// KVCLIENT_RESOURCE_EXHAUSTED, an error of our own is KVCLIENT_INTERNAL. A pointer that is neither
// null nor what is asked for can't be told from a good one. Out parameters are set to null or 0
// first, so that they are harmless after an error. A call of many items answers with the code of
// the first item that isn't OK; the others are served all the same, and `results` has them all.
//
// Ownership. What a function creates into a pointer of the caller's is the caller's to free, with
// the function that is named for it; freeing null does nothing. Strings, keys, items and pieces
// that are handed in are only read during the call, except for the memory that a get writes.
// Strings that are handed out say how long they live.
//
// Threads. A kvclient, a kvclient_session and a kvclient_view may be used by many threads at once;
// options, results and a kvclient_new_object by one at a time. Nobody may use a handle while or
// after it is freed. A thread may not be cancelled (pthread_cancel) within a call.
//
// Fork. In a child, calls with what the parent made answer KVCLIENT_FAILED_PRECONDITION, freeing
// does nothing, and the memory of views and new objects is not there. Nor can the child connect:
// fork before the first kvclient_connect, or start the child by exec.
//
// Times are in milliseconds where a caller gives them (1 or more, INT64_MAX for ever so long), in
// nanoseconds where one is handed out. Sizes are in bytes.

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVCLIENT_ABI_VERSION 0

// ---- versions --------------------------------------------------------------------------------

// "0.1.0", of the library that runs. Lives for ever.
const char* kvclient_version(void);
// Equal to KVCLIENT_ABI_VERSION, or this library is not the one that the program was built for.
uint32_t kvclient_abi_version(void);

// ---- codes -----------------------------------------------------------------------------------

// What a caller should do differently; numbers are gRPC's. Take one that is unknown as
// KVCLIENT_INTERNAL: a later library may have more.
typedef int32_t kvclient_code;
enum {
  KVCLIENT_OK = 0,
  KVCLIENT_CANCELLED = 1,
  KVCLIENT_INVALID_ARGUMENT = 3,   // can never succeed as it is; nothing happened
  KVCLIENT_DEADLINE_EXCEEDED = 4,  // may or may not have taken effect
  KVCLIENT_NOT_FOUND = 5,          // no such object now; nothing happened
  KVCLIENT_ALREADY_EXISTS = 6,     // the key is taken; nothing happened
  KVCLIENT_PERMISSION_DENIED = 7,
  KVCLIENT_RESOURCE_EXHAUSTED = 8,   // no room, or a limit is reached; nothing happened
  KVCLIENT_FAILED_PRECONDITION = 9,  // not in the state that the call needs; nothing happened
  KVCLIENT_ABORTED = 10,             // the put lost its memory, the object went away: begin again
  KVCLIENT_UNIMPLEMENTED = 12,
  KVCLIENT_INTERNAL = 13,     // a bug of ours: report it
  KVCLIENT_UNAVAILABLE = 14,  // the master or a holder can't be reached; retry
  KVCLIENT_DATA_LOSS = 15,    // the bytes don't match their checksum
  KVCLIENT_UNAUTHENTICATED = 16
};

// "not_found", "resource_exhausted", ...; "unknown" for a number that is none. Lives for ever.
const char* kvclient_code_name(kvclient_code code);

// Why this thread's latest function that returns a kvclient_code did not answer OK: cause, number
// and remedy, for a person; for a call of many items, of the one whose code it returned. "" after
// OK. Never null. Lives until this thread calls another such function.
const char* kvclient_last_error(void);

// ---- frozen structs --------------------------------------------------------------------------

// 1 to 1024 bytes, any values; needs no end mark.
typedef struct kvclient_key {
  const void* data;
  uint64_t size;
} kvclient_key;

// A stretch of the caller's memory to be filled; null only with size 0.
typedef struct kvclient_piece {
  void* data;
  uint64_t size;
} kvclient_piece;

// A stretch of memory to be read; null only with size 0.
typedef struct kvclient_const_piece {
  const void* data;
  uint64_t size;
} kvclient_const_piece;

typedef struct kvclient_put_item {
  kvclient_key key;
  const kvclient_const_piece* pieces;  // in order; none, or sizes of 0, make an empty object
  uint64_t piece_count;
} kvclient_put_item;

#define KVCLIENT_TO_THE_END 0

typedef struct kvclient_get_item {
  kvclient_key key;
  const kvclient_piece* pieces;  // filled in order; together at least as large as what is read
  uint64_t piece_count;
  uint64_t offset;  // of the first byte to read, in the object
  uint64_t length;  // bytes to read; KVCLIENT_TO_THE_END: all from `offset` on
} kvclient_get_item;

// One part of one object of a session.
typedef struct kvclient_part_item {
  uint64_t object;  // index in the keys of kvclient_open_session
  const kvclient_piece* pieces;
  uint64_t piece_count;
  uint64_t offset;
  uint64_t length;  // KVCLIENT_TO_THE_END: all from `offset` on
} kvclient_part_item;

typedef struct kvclient_create_item {
  kvclient_key key;
  uint64_t size;  // of the object, in bytes
} kvclient_create_item;

// The key that a C string spells.
static inline kvclient_key kvclient_text_key(const char* text) {
  kvclient_key key;
  key.data = text;
  key.size = text == NULL ? 0 : (uint64_t)strlen(text);
  return key;
}

typedef struct kvclient kvclient;
typedef struct kvclient_options kvclient_options;
typedef struct kvclient_put_options kvclient_put_options;
typedef struct kvclient_results kvclient_results;
typedef struct kvclient_session kvclient_session;
typedef struct kvclient_view kvclient_view;
typedef struct kvclient_new_object kvclient_new_object;

// ---- options of a client ---------------------------------------------------------------------

// How bytes travel: within one process, by shared memory of one host, by TCP, by RDMA.
enum { KVCLIENT_WAY_LOCAL = 1, KVCLIENT_WAY_SHM = 2, KVCLIENT_WAY_TCP = 3, KVCLIENT_WAY_RDMA = 4 };

// All defaults. Values are checked by kvclient_connect, whose error names the option.
kvclient_code kvclient_options_create(kvclient_options** options);
void kvclient_options_free(kvclient_options* options);

// "HOST:PORT"; default "127.0.0.1:50051".
kvclient_code kvclient_options_set_master(kvclient_options* options, const char* host_port);
// Shown to operators; default "<hostname>-<pid>".
kvclient_code kvclient_options_set_name(kvclient_options* options, const char* name);
// Memory lent to the pool; default 0: none.
kvclient_code kvclient_options_set_lend_bytes(kvclient_options* options, uint64_t bytes);
// Where peers reach this process's memory, "ADDRESS:PORT"; default "127.0.0.1:0". Other than
// loopback needs allow_remote: the data path has no credentials yet.
kvclient_code kvclient_options_set_listen(kvclient_options* options, const char* address_port);
// What peers are told instead, where the two differ. Default "": nothing.
kvclient_code kvclient_options_set_advertise(kvclient_options* options, const char* address);
// 0 (default): no; anything else: yes.
kvclient_code kvclient_options_set_allow_remote(kvclient_options* options, int allow);
// Permits one KVCLIENT_WAY_*; without such a call all are permitted.
kvclient_code kvclient_options_add_way(kvclient_options* options, int way);
// Permits one RDMA device, as ibv_devices names it, and thereby RDMA; without such a call, what the
// environment's KVSTORE_RDMA_DEVICES names ("mlx5_0,mlx5_1"), else all whose port is active, where
// the ways name RDMA.
kvclient_code kvclient_options_add_rdma_device(kvclient_options* options, const char* name);
// Which of a device's addresses (0 to 255). Default -1: what KVSTORE_RDMA_GID_INDEX says, else the
// first RoCE v2 address of an IPv4 network, if there is one.
kvclient_code kvclient_options_set_rdma_gid_index(kvclient_options* options, int index);
// Default 10 000.
kvclient_code kvclient_options_set_connect_timeout_ms(kvclient_options* options,
                                                      int64_t timeout_ms);
// So long calls wait for a master that can't be reached, counted from when it was lost, and no
// longer than their timeouts: then they are KVCLIENT_UNAVAILABLE, or KVCLIENT_DEADLINE_EXCEEDED
// where they may have taken effect. Default INT64_MAX: as long as the timeouts. 0: not at all.
kvclient_code kvclient_options_set_master_patience_ms(kvclient_options* options,
                                                      int64_t patience_ms);
// Whether a get recomputes the checksum of whole objects. Default 1: yes.
kvclient_code kvclient_options_set_verify_checksums(kvclient_options* options, int verify);
// So many locations are remembered, so that the next get asks the master nothing. Default 65 536.
kvclient_code kvclient_options_set_remember_locations(kvclient_options* options, uint32_t count);

// ---- a member of a pool ----------------------------------------------------------------------

// Connects and joins. `options` null: all defaults. KVCLIENT_UNAVAILABLE: no master there in time;
// KVCLIENT_FAILED_PRECONDITION: it speaks another protocol version. Ends with kvclient_close.
kvclient_code kvclient_connect(const kvclient_options* options, kvclient** client);

// Leaves the pool, taking its lent objects along, and frees the client; takes up to 5 s.
// KVCLIENT_FAILED_PRECONDITION: sessions, views or new objects of it are not freed yet (the message
// says how many); then it is as if this had not been called. No call of another thread on this
// client may be under way. Null: KVCLIENT_OK.
kvclient_code kvclient_close(kvclient* client);

// As given, or as made up; "" for null. Lives as long as the client.
const char* kvclient_name(const kvclient* client);
// The 128 bits that stand for this life of this member.
kvclient_code kvclient_incarnation(const kvclient* client, uint64_t* high, uint64_t* low);

enum { KVCLIENT_MEMORY_HOST = 0, KVCLIENT_MEMORY_CUDA = 1 };

// Tells of memory that items will name, so that it need not be found out on the way. Optional for
// host memory. The memory stays the caller's, and must stay mapped until it is unregistered.
// `device`: a CUDA device's number, else 0. Overlap with other registered memory:
// KVCLIENT_INVALID_ARGUMENT. CUDA: KVCLIENT_UNIMPLEMENTED so far.
kvclient_code kvclient_register_memory(kvclient* client, void* base, uint64_t size, int kind,
                                       int device);
// Returns when no copy touches it any more. KVCLIENT_NOT_FOUND: not registered at this address.
kvclient_code kvclient_unregister_memory(kvclient* client, void* base);

// Lends so many bytes to the pool from now on, in place of what it lent; returns at once, see
// Client::Lend in kvstore/client.h.
kvclient_code kvclient_lend(kvclient* client, uint64_t bytes);

// ---- results ---------------------------------------------------------------------------------

// The last parameter of every call of many items. Null: nobody wants them. Else it gets one handle
// with one answer per item, in their order, whether they succeeded or not; and null when the call
// was refused as a whole, or out of memory. Getters answer for an index that is not there as
// for an item that has no such thing; all take null.
void kvclient_results_free(kvclient_results* results);
uint64_t kvclient_results_count(const kvclient_results* results);
// No such index: KVCLIENT_INVALID_ARGUMENT.
kvclient_code kvclient_results_code(const kvclient_results* results, uint64_t index);
// "" when OK. Lives as long as the results.
const char* kvclient_results_message(const kvclient_results* results, uint64_t index);
// kvclient_get, kvclient_session_read: OK: bytes that were read; the pieces too small, or the part
// beyond the end: how large the object is. kvclient_open_session, kvclient_stat: the object's size.
// Else 0.
uint64_t kvclient_results_size(const kvclient_results* results, uint64_t index);
// kvclient_exists: 1 or 0. Else 0.
int kvclient_results_found(const kvclient_results* results, uint64_t index);

// Of kvclient_stat alone; else 0, null.
uint64_t kvclient_results_checksum(const kvclient_results* results, uint64_t index);  // XXH3-64
int64_t kvclient_results_age_ns(const kvclient_results* results, uint64_t index);  // since commit
int64_t kvclient_results_lease_left_ns(const kvclient_results* results, uint64_t index);
uint64_t kvclient_results_replica_count(const kvclient_results* results, uint64_t index);
int kvclient_results_durable(const kvclient_results* results, uint64_t index);  // as it is now
int kvclient_results_hard_pin(const kvclient_results* results, uint64_t index);
// What is left. 0: not soft-pinned; never expires.
int64_t kvclient_results_soft_pin_left_ns(const kvclient_results* results, uint64_t index);
int64_t kvclient_results_ttl_left_ns(const kvclient_results* results, uint64_t index);
// Null and 0: in none. Lives as long as the results.
const void* kvclient_results_group(const kvclient_results* results, uint64_t index, uint64_t* size);
uint32_t kvclient_results_position(const kvclient_results* results, uint64_t index);
// The name of the holder. Null: no such replica. Lives as long as the results.
const char* kvclient_results_replica_node(const kvclient_results* results, uint64_t index,
                                          uint64_t replica);
// 0 and 0: no such replica.
void kvclient_results_replica_incarnation(const kvclient_results* results, uint64_t index,
                                          uint64_t replica, uint64_t* high, uint64_t* low);
uint64_t kvclient_results_replica_ranges(const kvclient_results* results, uint64_t index,
                                         uint64_t replica);
uint64_t kvclient_results_replica_reserved_bytes(const kvclient_results* results, uint64_t index,
                                                 uint64_t replica);

// ---- put -------------------------------------------------------------------------------------

// Where the master looks for room first: the writer's memory, then its host, then the rest by free
// share; by free share alone; the writer's memory and its host, and nowhere else.
enum { KVCLIENT_LOCAL_FIRST = 0, KVCLIENT_SPREAD = 1, KVCLIENT_THIS_HOST = 2 };

// All defaults. Values are checked by the put.
kvclient_code kvclient_put_options_create(kvclient_put_options** options);
void kvclient_put_options_free(kvclient_put_options* options);

// Default 30 000.
kvclient_code kvclient_put_options_set_timeout_ms(kvclient_put_options* options,
                                                  int64_t timeout_ms);
// Not 0: a committed object under the key is replaced instead of refused. Default 0.
kvclient_code kvclient_put_options_set_replace(kvclient_put_options* options, int replace);
// 1 (default) to 8, on distinct nodes.
kvclient_code kvclient_put_options_set_replicas(kvclient_put_options* options, uint32_t replicas);
kvclient_code kvclient_put_options_set_placement(kvclient_put_options* options, int placement);
// Tried before the placement, in the order of the calls; unknown names are ignored.
kvclient_code kvclient_put_options_add_preferred_node(kvclient_put_options* options,
                                                      const char* name);
// Not 0: answered only when every holder keeps a note of it, so that no loss of the master loses
// it. Default 0: a master that is lost takes along what it answered in its last 100 ms, or so.
kvclient_code kvclient_put_options_set_durable(kvclient_put_options* options, int durable);
// Not 0: never evicted. A segment may be pinned in part only: KVCLIENT_RESOURCE_EXHAUSTED beyond
// that. Default 0.
kvclient_code kvclient_put_options_set_hard_pin(kvclient_put_options* options, int pin);
// For so long, from the commit on, it is evicted only where nothing else may be. Default 0: not.
kvclient_code kvclient_put_options_set_soft_pin_ms(kvclient_put_options* options, int64_t pin_ms);
// It expires so long after the commit, pinned or not. Default 0: never.
kvclient_code kvclient_put_options_set_ttl_ms(kvclient_put_options* options, int64_t ttl_ms);
// Objects of one group, at most 255 bytes of any values, are evicted together; while one of them is
// leased, pinned or unfinished none is. Default: none, as with a size of 0.
kvclient_code kvclient_put_options_set_group(kvclient_put_options* options, const void* group,
                                             uint64_t size);
// Not 0: what is stored is what the memory held when the call began; where other bytes were copied
// nothing is, and the answer is KVCLIENT_ABORTED. Default 0.
kvclient_code kvclient_put_options_set_check_source(kvclient_put_options* options, int check);
// Of each item its index in a chain of prefixes: of objects put, or used, in one call those of
// higher positions are evicted first. As many as the call has items, or none (default: all are 0);
// else that call is KVCLIENT_INVALID_ARGUMENT.
kvclient_code kvclient_put_options_set_positions(kvclient_put_options* options,
                                                 const uint32_t* positions, uint64_t count);

// `options` null: all defaults. After OK every get, exists or stat that starts later, on any
// machine, sees the object until it is removed, expires, is evicted or its holders die.
// KVCLIENT_ALREADY_EXISTS: the key is taken. KVCLIENT_RESOURCE_EXHAUSTED: no room, nothing may be
// evicted. KVCLIENT_DEADLINE_EXCEEDED: may or may not have been committed. KVCLIENT_ABORTED,
// KVCLIENT_UNAVAILABLE: not committed.
kvclient_code kvclient_put(kvclient* client, const kvclient_put_item* items, uint64_t count,
                           const kvclient_put_options* options, kvclient_results** results);

// ---- get, exists, remove, stat ---------------------------------------------------------------

// OK: the bytes are in the pieces, validated; anything else: what is in the pieces is undefined.
// KVCLIENT_NOT_FOUND; KVCLIENT_INVALID_ARGUMENT: the pieces are too small or the part ends beyond
// the object; KVCLIENT_DATA_LOSS; KVCLIENT_UNAVAILABLE: no holder could be reached.
kvclient_code kvclient_get(kvclient* client, const kvclient_get_item* items, uint64_t count,
                           int64_t timeout_ms, kvclient_results** results);

// An object that is not there is an answer, not an error: see kvclient_results_found. Not there is,
// too, what lies only where nobody gives a sign of life.
kvclient_code kvclient_exists(kvclient* client, const kvclient_key* keys, uint64_t count,
                              int64_t timeout_ms, kvclient_results** results);

// OK as soon as the object is there, answered by the commit, not by polling.
// KVCLIENT_DEADLINE_EXCEEDED: not within the timeout.
kvclient_code kvclient_wait_exists(kvclient* client, const kvclient_key* keys, uint64_t count,
                                   int64_t timeout_ms, kvclient_results** results);

// kvclient_exists for who reads what others have only just computed: a key that is not there is
// waited for, at most `at_most_ms`, where a put of it is announced: another client has started one;
// another one asked for the key in vain in the last 30 s; or the key before it is waited for, or
// was committed by another client in the last 10 s. What is not announced is answered at once.
// `after`: the key before the first one, of a prompt's keys that are asked for in several calls;
// null: none.
kvclient_code kvclient_await_puts(kvclient* client, const kvclient_key* keys, uint64_t count,
                                  int64_t at_most_ms, const kvclient_key* after, int64_t timeout_ms,
                                  kvclient_results** results);

// After OK no get that starts later returns the object. KVCLIENT_NOT_FOUND: there was none.
// KVCLIENT_DEADLINE_EXCEEDED: no longer found, but a holder has not confirmed it.
kvclient_code kvclient_remove(kvclient* client, const kvclient_key* keys, uint64_t count,
                              int64_t timeout_ms, kvclient_results** results);

// Size, checksum, age, lease and replicas, without reading the object.
kvclient_code kvclient_stat(kvclient* client, const kvclient_key* keys, uint64_t count,
                            int64_t timeout_ms, kvclient_results** results);

// Pins anew: hard (not 0), and softly for so long from now (0: not). Neither: unpins. The time to
// live and the group stay as they are. KVCLIENT_NOT_FOUND; KVCLIENT_RESOURCE_EXHAUSTED: too much is
// pinned. KVCLIENT_OK: also over a loss of the master. The same again does no harm.
kvclient_code kvclient_pin(kvclient* client, const kvclient_key* keys, uint64_t count, int hard,
                           int64_t soft_ms, int64_t timeout_ms, kvclient_results** results);

// Removes all objects whose key begins with these bytes, at most 1024; all with a size of 0.
// `removed`, if not null, gets their number. After OK no get that starts later returns any of them;
// what is committed meanwhile may stay. KVCLIENT_DEADLINE_EXCEEDED: no longer found, but a holder
// has not confirmed it; or the master has not answered.
kvclient_code kvclient_remove_matching(kvclient* client, const void* prefix, uint64_t prefix_size,
                                       int64_t timeout_ms, uint64_t* removed);

// ---- sessions: located once, read part by part -----------------------------------------------

// Locates `count` objects. OK also when some of them can't be read: their results say why, the
// others have their sizes. All parts of one object come from the same put: when it is removed,
// replaced or evicted meanwhile, further parts are KVCLIENT_ABORTED. Bars nothing from eviction.
kvclient_code kvclient_open_session(kvclient* client, const kvclient_key* keys, uint64_t count,
                                    int64_t timeout_ms, kvclient_session** session,
                                    kvclient_results** results);
// As kvclient_get.
kvclient_code kvclient_session_read(kvclient_session* session, const kvclient_part_item* items,
                                    uint64_t count, int64_t timeout_ms, kvclient_results** results);
// Before its client is closed.
void kvclient_session_free(kvclient_session* session);

// ---- views: objects read where they lie ------------------------------------------------------

// views[0 .. count) get a view each, or null where the item's result is not OK. The object's memory
// is pinned at its holder: it keeps these bytes until the view is freed or this process has ended,
// even when the object is removed, replaced or evicted meanwhile. KVCLIENT_NOT_FOUND;
// KVCLIENT_FAILED_PRECONDITION: no replica lies on this host, or shared memory does not lead there
// (kvclient_get can); KVCLIENT_UNAVAILABLE: the holder has ended or doesn't answer, or the object
// was moved meanwhile (try again, or kvclient_get); KVCLIENT_RESOURCE_EXHAUSTED: too many views.
kvclient_code kvclient_open_views(kvclient* client, const kvclient_key* keys, uint64_t count,
                                  int64_t timeout_ms, kvclient_view** views,
                                  kvclient_results** results);
// The object's bytes, in order; usually one piece. Only to be read: writing ends the process. Null
// and 0 for an empty object and for null. Lives as long as the view.
const kvclient_const_piece* kvclient_view_pieces(const kvclient_view* view, uint64_t* piece_count);
uint64_t kvclient_view_size(const kvclient_view* view);
uint64_t kvclient_view_checksum(const kvclient_view* view);  // XXH3-64, as committed
// Reads it all and compares: KVCLIENT_DATA_LOSS when the checksum doesn't match.
kvclient_code kvclient_view_verify(const kvclient_view* view);
// Before its client is closed.
void kvclient_view_free(kvclient_view* view);

// ---- new objects: filled where they will lie -------------------------------------------------

// objects[0 .. count) get room for a new object each, on this host, or null where the item's result
// is not OK. Nobody finds an object before it is sealed. `options` and errors as for kvclient_put;
// one replica. KVCLIENT_RESOURCE_EXHAUSTED: no node of this host has room, or lends any.
kvclient_code kvclient_create_objects(kvclient* client, const kvclient_create_item* items,
                                      uint64_t count, const kvclient_put_options* options,
                                      kvclient_new_object** objects, kvclient_results** results);
// To be filled, in order; usually one piece. Their contents at first are undefined. Lives until
// kvclient_new_object_seal or _free: neither the pieces nor their memory may be used afterwards.
// Null and 0 for an empty object, for one that was sealed (or given up by that), and for null.
const kvclient_piece* kvclient_new_object_pieces(const kvclient_new_object* object,
                                                 uint64_t* piece_count);
uint64_t kvclient_new_object_size(const kvclient_new_object* object);
// On CLOCK_BOOTTIME: until then it can be sealed. 0 for null.
int64_t kvclient_new_object_deadline_ns(const kvclient_new_object* object);
// Computes the checksum and commits; errors as for kvclient_put. Once only, whatever it answers:
// KVCLIENT_FAILED_PRECONDITION afterwards. Only a timeout out of bounds (KVCLIENT_INVALID_ARGUMENT)
// changes nothing.
kvclient_code kvclient_new_object_seal(kvclient_new_object* object, int64_t timeout_ms);
// Unsealed, it is given up. Before its client is closed.
void kvclient_new_object_free(kvclient_new_object* object);

// ---- counters --------------------------------------------------------------------------------

// What this client has done so far, by name: "gets_ok", "get_time_ns", "shm.bytes_read", ... Names
// never change their meaning; a later library may have more. KVCLIENT_NOT_FOUND: no such counter.
// Of an RDMA device there are "rdma.DEVICE.bytes_read", ".bytes_written", ".paths" (to peers, now)
// and ".failures" (of paths).
kvclient_code kvclient_counter(const kvclient* client, const char* name, uint64_t* value);
// The names there are: 0, 1, ... until null. Live for ever.
const char* kvclient_counter_name(uint32_t index);
// The RDMA devices that this client uses: 0, 1, ... until null. Live as long as the client.
const char* kvclient_rdma_device(const kvclient* client, uint32_t index);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // KVSTORE_KVCLIENT_H_
