#include "client/note_sender.h"

#include <utility>

namespace kvstore::client {

NoteSender::NoteSender(ReadNotes& notes, std::function<void(NoteReads)> tell, Duration every)
    : notes_(notes), tell_(std::move(tell)), every_(every), thread_([this] { Run(); }) {}

NoteSender::~NoteSender() {
  notes_.Close();
  thread_.join();
}

void NoteSender::Run() {
  while (notes_.AwaitSome() && notes_.Gather(BootClock::now() + every_)) {
    tell_(notes_.Take());
  }
}

}  // namespace kvstore::client
