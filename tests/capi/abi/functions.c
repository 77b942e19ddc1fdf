/* The functions of ABI 0, declared a second time: C takes that only when both declarations agree,
   so that a function whose type changes in the header does not compile here. Lines are only added.
 */
#include "kvstore/kvclient.h"

const char* kvclient_version(void);
uint32_t kvclient_abi_version(void);
const char* kvclient_code_name(kvclient_code code);
const char* kvclient_last_error(void);
kvclient_code kvclient_options_create(kvclient_options** options);
void kvclient_options_free(kvclient_options* options);
kvclient_code kvclient_options_set_master(kvclient_options* options, const char* host_port);
kvclient_code kvclient_options_set_name(kvclient_options* options, const char* name);
kvclient_code kvclient_options_set_lend_bytes(kvclient_options* options, uint64_t bytes);
kvclient_code kvclient_options_set_listen(kvclient_options* options, const char* address_port);
kvclient_code kvclient_options_set_advertise(kvclient_options* options, const char* address);
kvclient_code kvclient_options_set_allow_remote(kvclient_options* options, int allow);
kvclient_code kvclient_options_add_way(kvclient_options* options, int way);
kvclient_code kvclient_options_add_rdma_device(kvclient_options* options, const char* name);
kvclient_code kvclient_options_set_rdma_gid_index(kvclient_options* options, int index);
kvclient_code kvclient_options_set_connect_timeout_ms(kvclient_options* options,
                                                      int64_t timeout_ms);
kvclient_code kvclient_options_set_master_patience_ms(kvclient_options* options,
                                                      int64_t patience_ms);
kvclient_code kvclient_options_set_verify_checksums(kvclient_options* options, int verify);
kvclient_code kvclient_options_set_remember_locations(kvclient_options* options, uint32_t count);
kvclient_code kvclient_connect(const kvclient_options* options, kvclient** client);
kvclient_code kvclient_close(kvclient* client);
const char* kvclient_name(const kvclient* client);
kvclient_code kvclient_incarnation(const kvclient* client, uint64_t* high, uint64_t* low);
kvclient_code kvclient_register_memory(kvclient* client, void* base, uint64_t size, int kind,
                                       int device);
kvclient_code kvclient_unregister_memory(kvclient* client, void* base);
kvclient_code kvclient_lend(kvclient* client, uint64_t bytes);
void kvclient_results_free(kvclient_results* results);
uint64_t kvclient_results_count(const kvclient_results* results);
kvclient_code kvclient_results_code(const kvclient_results* results, uint64_t index);
const char* kvclient_results_message(const kvclient_results* results, uint64_t index);
uint64_t kvclient_results_size(const kvclient_results* results, uint64_t index);
int kvclient_results_found(const kvclient_results* results, uint64_t index);
uint64_t kvclient_results_checksum(const kvclient_results* results, uint64_t index);
int64_t kvclient_results_age_ns(const kvclient_results* results, uint64_t index);
int64_t kvclient_results_lease_left_ns(const kvclient_results* results, uint64_t index);
uint64_t kvclient_results_replica_count(const kvclient_results* results, uint64_t index);
const char* kvclient_results_replica_node(const kvclient_results* results, uint64_t index,
                                          uint64_t replica);
void kvclient_results_replica_incarnation(const kvclient_results* results, uint64_t index,
                                          uint64_t replica, uint64_t* high, uint64_t* low);
uint64_t kvclient_results_replica_ranges(const kvclient_results* results, uint64_t index,
                                         uint64_t replica);
uint64_t kvclient_results_replica_reserved_bytes(const kvclient_results* results, uint64_t index,
                                                 uint64_t replica);
kvclient_code kvclient_put_options_create(kvclient_put_options** options);
void kvclient_put_options_free(kvclient_put_options* options);
kvclient_code kvclient_put_options_set_timeout_ms(kvclient_put_options* options,
                                                  int64_t timeout_ms);
kvclient_code kvclient_put_options_set_replace(kvclient_put_options* options, int replace);
kvclient_code kvclient_put_options_set_replicas(kvclient_put_options* options, uint32_t replicas);
kvclient_code kvclient_put_options_set_placement(kvclient_put_options* options, int placement);
kvclient_code kvclient_put_options_add_preferred_node(kvclient_put_options* options,
                                                      const char* name);
kvclient_code kvclient_put(kvclient* client, const kvclient_put_item* items, uint64_t count,
                           const kvclient_put_options* options, kvclient_results** results);
kvclient_code kvclient_get(kvclient* client, const kvclient_get_item* items, uint64_t count,
                           int64_t timeout_ms, kvclient_results** results);
kvclient_code kvclient_exists(kvclient* client, const kvclient_key* keys, uint64_t count,
                              int64_t timeout_ms, kvclient_results** results);
kvclient_code kvclient_wait_exists(kvclient* client, const kvclient_key* keys, uint64_t count,
                                   int64_t timeout_ms, kvclient_results** results);
kvclient_code kvclient_await_puts(kvclient* client, const kvclient_key* keys, uint64_t count,
                                  int64_t at_most_ms, const kvclient_key* after,
                                  int64_t timeout_ms, kvclient_results** results);
kvclient_code kvclient_remove(kvclient* client, const kvclient_key* keys, uint64_t count,
                              int64_t timeout_ms, kvclient_results** results);
kvclient_code kvclient_stat(kvclient* client, const kvclient_key* keys, uint64_t count,
                            int64_t timeout_ms, kvclient_results** results);
kvclient_code kvclient_open_session(kvclient* client, const kvclient_key* keys, uint64_t count,
                                    int64_t timeout_ms, kvclient_session** session,
                                    kvclient_results** results);
kvclient_code kvclient_session_read(kvclient_session* session, const kvclient_part_item* items,
                                    uint64_t count, int64_t timeout_ms, kvclient_results** results);
void kvclient_session_free(kvclient_session* session);
kvclient_code kvclient_open_views(kvclient* client, const kvclient_key* keys, uint64_t count,
                                  int64_t timeout_ms, kvclient_view** views,
                                  kvclient_results** results);
const kvclient_const_piece* kvclient_view_pieces(const kvclient_view* view, uint64_t* piece_count);
uint64_t kvclient_view_size(const kvclient_view* view);
uint64_t kvclient_view_checksum(const kvclient_view* view);
kvclient_code kvclient_view_verify(const kvclient_view* view);
void kvclient_view_free(kvclient_view* view);
kvclient_code kvclient_create_objects(kvclient* client, const kvclient_create_item* items,
                                      uint64_t count, const kvclient_put_options* options,
                                      kvclient_new_object** objects, kvclient_results** results);
const kvclient_piece* kvclient_new_object_pieces(const kvclient_new_object* object,
                                                 uint64_t* piece_count);
uint64_t kvclient_new_object_size(const kvclient_new_object* object);
int64_t kvclient_new_object_deadline_ns(const kvclient_new_object* object);
kvclient_code kvclient_new_object_seal(kvclient_new_object* object, int64_t timeout_ms);
void kvclient_new_object_free(kvclient_new_object* object);
kvclient_code kvclient_counter(const kvclient* client, const char* name, uint64_t* value);
const char* kvclient_counter_name(uint32_t index);
const char* kvclient_rdma_device(const kvclient* client, uint32_t index);
kvclient_code kvclient_put_options_set_durable(kvclient_put_options* options, int durable);
kvclient_code kvclient_put_options_set_hard_pin(kvclient_put_options* options, int pin);
kvclient_code kvclient_put_options_set_soft_pin_ms(kvclient_put_options* options, int64_t pin_ms);
kvclient_code kvclient_put_options_set_ttl_ms(kvclient_put_options* options, int64_t ttl_ms);
kvclient_code kvclient_put_options_set_group(kvclient_put_options* options, const void* group,
                                             uint64_t size);
kvclient_code kvclient_put_options_set_check_source(kvclient_put_options* options, int check);
kvclient_code kvclient_put_options_set_positions(kvclient_put_options* options,
                                                 const uint32_t* positions, uint64_t count);
kvclient_code kvclient_pin(kvclient* client, const kvclient_key* keys, uint64_t count, int hard,
                           int64_t soft_ms, int64_t timeout_ms, kvclient_results** results);
kvclient_code kvclient_remove_matching(kvclient* client, const void* prefix, uint64_t prefix_size,
                                       int64_t timeout_ms, uint64_t* removed);
int kvclient_results_durable(const kvclient_results* results, uint64_t index);
int kvclient_results_hard_pin(const kvclient_results* results, uint64_t index);
int64_t kvclient_results_soft_pin_left_ns(const kvclient_results* results, uint64_t index);
int64_t kvclient_results_ttl_left_ns(const kvclient_results* results, uint64_t index);
const void* kvclient_results_group(const kvclient_results* results, uint64_t index, uint64_t* size);
uint32_t kvclient_results_position(const kvclient_results* results, uint64_t index);
