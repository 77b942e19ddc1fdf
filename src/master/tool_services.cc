#include "master/tool_services.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "master/stream.h"

namespace kvstore::master {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::UnknownFieldSet;

constexpr const char* kServices[] = {"kvstore.v1.Master", "kvstore.v1.Admin",
                                     "grpc.health.v1.Health",
                                     "grpc.reflection.v1alpha.ServerReflection"};

// Of these services no messages are compiled in: both are a few fields, by their numbers.
std::string TextOf(const grpc::ByteBuffer& message) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!message.Dump(&slices).ok()) return text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

grpc::ByteBuffer MessageOf(const UnknownFieldSet& fields) {
  std::string text;
  fields.SerializeToString(&text);
  const grpc::Slice slice(text);
  return {&slice, 1};
}

using Bytes = Stream<grpc::ByteBuffer, grpc::ByteBuffer>;

// HealthCheckRequest: 1 service. HealthCheckResponse: 1 status.
class Health final : public Bytes {
 public:
  Health(std::unique_ptr<Call> call, StreamTable& streams, bool watches)
      : Stream(std::move(call), &streams), watches_(watches) {}

 private:
  static constexpr int kServing = 1;
  static constexpr int kServiceUnknown = 3;

  void Received(grpc::ByteBuffer& request) override {
    SetGreeted();
    ReadNoMore();
    UnknownFieldSet asked;
    if (!asked.ParseFromString(TextOf(request))) {
      return End(InvalidArgumentError("that is no health check"));
    }
    std::string service;
    for (int i = 0; i < asked.field_count(); ++i) {
      const auto& field = asked.field(i);
      if (field.number() == 1 && field.type() == field.TYPE_LENGTH_DELIMITED) {
        service = field.length_delimited();
      }
    }
    const bool known = service.empty() || std::find(std::begin(kServices), std::end(kServices),
                                                    service) != std::end(kServices);
    if (!known && !watches_) return End(NotFoundError("this master has no " + service));
    UnknownFieldSet answer;
    answer.AddVarint(1, known ? kServing : kServiceUnknown);
    if (!watches_) return PostLast(MessageOf(answer));
    (void)Post(MessageOf(answer));
  }
  void Ended() override {}

  const bool watches_;
};

// ServerReflectionRequest: one of 3 file_by_filename, 4 file_containing_symbol, 7 list_services and
// others. ServerReflectionResponse: 2 original_request; 4 file_descriptor_response: 1 file...;
// 6 list_services_response: 1 service...: 1 name; 7 error_response: 1 error_code, 2 error_message.
class Reflection final : public Bytes {
 public:
  Reflection(std::unique_ptr<Call> call, StreamTable& streams)
      : Stream(std::move(call), &streams) {}

 private:
  void Received(grpc::ByteBuffer& request) override {
    SetGreeted();
    const std::string text = TextOf(request);
    UnknownFieldSet asked;
    if (!asked.ParseFromString(text)) return End(InvalidArgumentError("that is no request"));
    UnknownFieldSet answer;
    answer.AddLengthDelimited(2, text);
    for (int i = 0; i < asked.field_count(); ++i) {
      const auto& field = asked.field(i);
      if (field.type() != field.TYPE_LENGTH_DELIMITED || field.number() == 1) continue;
      Answer(field.number(), field.length_delimited(), &answer);
    }
    (void)Post(MessageOf(answer));
  }
  void Ended() override {}

  static void Answer(int question, const std::string& about, UnknownFieldSet* answer) {
    const DescriptorPool* const pool = DescriptorPool::generated_pool();
    UnknownFieldSet part;
    if (question == 7) {
      for (const char* const name : kServices) {
        UnknownFieldSet service;
        service.AddLengthDelimited(1, name);
        Add(service, 1, &part);
      }
      return Add(part, 6, answer);
    }
    const FileDescriptor* const file = question == 3   ? pool->FindFileByName(about)
                                       : question == 4 ? pool->FindFileContainingSymbol(about)
                                                       : nullptr;
    if (file != nullptr) {
      std::set<const FileDescriptor*> described;
      Describe(*file, &described, &part);
      return Add(part, 4, answer);
    }
    const bool known = question == 3 || question == 4;
    part.AddVarint(
        1, static_cast<uint64_t>(known ? StatusCode::kNotFound : StatusCode::kUnimplemented));
    part.AddLengthDelimited(2, known ? about + " is not described here" : "not answered here");
    Add(part, 7, answer);
  }

  // With the files that it needs.
  static void Describe(const FileDescriptor& file, std::set<const FileDescriptor*>* described,
                       UnknownFieldSet* files) {
    if (!described->insert(&file).second) return;
    google::protobuf::FileDescriptorProto proto;
    file.CopyTo(&proto);
    files->AddLengthDelimited(1, proto.SerializeAsString());
    for (int i = 0; i < file.dependency_count(); ++i) {
      Describe(*file.dependency(i), described, files);
    }
  }

  static void Add(const UnknownFieldSet& part, int number, UnknownFieldSet* whole) {
    part.SerializeToString(whole->AddLengthDelimited(number));
  }
};

}  // namespace

void ServeTools(StreamTable& streams, Calls* calls) {
  const auto health = [&streams](bool watches) {
    return [&streams, watches](std::unique_ptr<Call> call) {
      std::make_shared<Health>(std::move(call), streams, watches)->Begin(BootClock::now());
    };
  };
  calls->Serve("/grpc.health.v1.Health/Check", health(false));
  calls->Serve("/grpc.health.v1.Health/Watch", health(true));
  calls->Serve("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
               [&streams](std::unique_ptr<Call> call) {
                 std::make_shared<Reflection>(std::move(call), streams)->Begin(BootClock::now());
               });
}

}  // namespace kvstore::master
