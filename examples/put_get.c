/* Puts an object, gets it back, and removes it.
     put_get_c [MASTER]     HOST:PORT, default 127.0.0.1:50051 */
#include <stdio.h>

#include "kvstore/kvclient.h"

enum { kTimeoutMs = 30000 };

static kvclient* Connect(const char* master) {
  kvclient_options* options = NULL;
  kvclient* client = NULL;
  if (kvclient_options_create(&options) != KVCLIENT_OK ||
      (master != NULL && kvclient_options_set_master(options, master) != KVCLIENT_OK) ||
      kvclient_connect(options, &client) != KVCLIENT_OK) {
    fprintf(stderr, "can't connect: %s\n", kvclient_last_error());
  }
  kvclient_options_free(options);
  return client;
}

static kvclient_code Put(kvclient* client, const char* key) {
  const kvclient_const_piece pieces[] = {{"a block ", 8}, {"in two pieces", 13}};
  kvclient_put_item item = {kvclient_text_key(key), pieces, 2};
  kvclient_put_options* options = NULL;
  kvclient_code code = kvclient_put_options_create(&options);
  if (code == KVCLIENT_OK) code = kvclient_put_options_set_replace(options, 1);
  if (code == KVCLIENT_OK) code = kvclient_put(client, &item, 1, options, NULL);
  kvclient_put_options_free(options);
  return code;
}

static kvclient_code Get(kvclient* client, const char* key) {
  char value[64];
  const kvclient_piece piece = {value, sizeof value};
  const kvclient_get_item item = {kvclient_text_key(key), &piece, 1, 0, KVCLIENT_TO_THE_END};
  kvclient_results* results = NULL;
  const kvclient_code code = kvclient_get(client, &item, 1, kTimeoutMs, &results);
  if (code == KVCLIENT_OK) printf("%.*s\n", (int)kvclient_results_size(results, 0), value);
  kvclient_results_free(results);
  return code;
}

int main(int argc, char** argv) {
  kvclient* const client = Connect(argc > 1 ? argv[1] : NULL);
  if (client == NULL) return 1;
  const char* const name = "example/c";
  const kvclient_key key = kvclient_text_key(name);
  int result = 1;
  if (Put(client, name) != KVCLIENT_OK || Get(client, name) != KVCLIENT_OK ||
      kvclient_remove(client, &key, 1, kTimeoutMs, NULL) != KVCLIENT_OK) {
    fprintf(stderr, "failed: %s\n", kvclient_last_error());
  } else {
    /* A cache may forget: not_found is an answer that every caller has to expect. */
    printf("removed; then: %s\n", kvclient_code_name(Get(client, name)));
    result = 0;
  }
  if (kvclient_close(client) != KVCLIENT_OK) {
    fprintf(stderr, "can't close: %s\n", kvclient_last_error());
    result = 1;
  }
  return result;
}
