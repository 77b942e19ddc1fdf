#ifndef KVSTORE_PROTO_CODEC_COLUMNS_H_
#define KVSTORE_PROTO_CODEC_COLUMNS_H_

// Lists of which there are many long ones, by column: an item costs a few numbers, and no message
// of its own. Only proto/codec_*.cc includes this.

#include <vector>

#include "kvstore/status.h"
#include "kvstore/v1/kvstore.pb.h"
#include "proto/verbs.h"

namespace kvstore {

// Whether an order says no more than a v1::Notes can.
bool IsPlainNote(const Order& order);

// The plain notes from `begin` on, up to the first order that is none, or as many as there may be;
// where they end.
size_t EncodeNotes(const std::vector<Order>& from, size_t begin, v1::Notes* to);
// Appends.
Status DecodeNotes(const v1::Notes& from, std::vector<Order>* to);

void EncodeAcks(const std::vector<RetireAck>& from, v1::RetireAcks* to);
void EncodeAcks(const std::vector<NoteAck>& from, v1::NoteAcks* to);
Status DecodeAcks(const v1::RetireAcks& from, std::vector<RetireAck>* to);
Status DecodeAcks(const v1::NoteAcks& from, std::vector<NoteAck>* to);

void EncodePieces(const std::vector<GrantPiece>& from, v1::GrantPieces* to);
// `items`: so many there must be.
Status DecodePieces(const v1::GrantPieces& from, size_t items, std::vector<GrantPiece>* to);

// Whether a v1::Found can say it.
bool IsPlain(const LocateAnswer& answer);
// Those that are plain.
void EncodeFound(const std::vector<LocateAnswer>& from, v1::Found* to);
Status DecodeFound(const v1::Found& from, std::vector<LocateAnswer>* to);

}  // namespace kvstore

#endif  // KVSTORE_PROTO_CODEC_COLUMNS_H_
