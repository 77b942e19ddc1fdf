#include "client/master_stub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "client/batch_cutter.h"
#include "fakes/fake_channel.h"
#include "kvstore/client.h"

namespace kvstore::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeChannel;
using ::testing::HasSubstr;

KeyBatch Keys(size_t count, size_t key_bytes = 8) {
  KeyBatch keys;
  for (size_t i = 0; i < count; ++i) {
    std::string key = std::to_string(i);
    keys.Add(key + std::string(key_bytes - key.size(), '.'));
  }
  return keys;
}

StartPut Puts(size_t count, size_t key_bytes = 8) {
  StartPut puts;
  puts.keys = Keys(count, key_bytes);
  for (size_t i = 0; i < count; ++i) {
    puts.sequences.push_back(100 + i);
    puts.sizes.push_back(1000 + i);
  }
  puts.replicas = 2;
  puts.replace = true;
  puts.placement = Placement::kSpread;
  puts.preferred_nodes = {"node-a"};
  return puts;
}

class MasterStubTest : public ::testing::Test {
 protected:
  TimePoint In(Duration delay) { return channel_.clock().Now() + delay; }
  Duration Since(TimePoint start) { return channel_.clock().Now() - start; }

  // One OK answer per item of the request.
  static VerbReply Answered(const VerbRequest& request) {
    std::vector<ItemAnswer> answers;
    for (uint32_t i = 0; i < ItemCount(request.verb); ++i) answers.push_back({i, Status::Ok()});
    return {.id = request.id, .answers = std::move(answers), .peers = {}};
  }
  static VerbReply Granted(const VerbRequest& request, uint32_t begin, uint32_t end) {
    std::vector<StartPutAnswer> answers;
    for (uint32_t i = begin; i < end; ++i) {
      StartPutAnswer answer;
      answer.index = i;
      answer.grant = seconds(10);
      answers.push_back(answer);
    }
    return {.id = request.id, .answers = std::move(answers), .peers = {}};
  }
  static VerbReply Granted(const VerbRequest& request) {
    return Granted(request, 0, static_cast<uint32_t>(ItemCount(request.verb)));
  }

  void AnswerEverything() {
    channel_.on_send = [&](const VerbRequest& request) {
      const bool start = std::holds_alternative<StartPut>(request.verb);
      channel_.Reply(start ? Granted(request) : Answered(request));
    };
  }

  FakeChannel channel_;
  MasterStub stub_{channel_};
};

// ---- batches and messages -----------------------------------------------------------------------

TEST_F(MasterStubTest, EmptyBatchesAskNobody) {
  EXPECT_TRUE(stub_.Ask({}, In(seconds(1))).empty());
  EXPECT_TRUE(stub_.Find({}, In(seconds(1))).empty());
  EXPECT_TRUE(stub_.Commit({}, In(seconds(1))).empty());
  EXPECT_TRUE(stub_.Abort({}, In(-seconds(1))).empty());
  const auto started = stub_.Start({}, In(seconds(1)));
  EXPECT_TRUE(started->NextWave().empty());
  EXPECT_TRUE(channel_.sent.empty());
}

TEST_F(MasterStubTest, AnswersStandInTheOrderOfItemsHoweverTheyArrive) {
  channel_.on_send = [&](const VerbRequest& request) {
    channel_.Reply({request.id, std::vector<ItemAnswer>{{2, NotFoundError("c")}}, {}});
    channel_.Reply({request.id,
                    std::vector<ItemAnswer>{{1, NotFoundError("b")}, {0, NotFoundError("a")}},
                    {}});
  };
  const auto answers = stub_.Ask({Keys(3)}, In(seconds(1)));
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].status.message(), "a");
  EXPECT_EQ(answers[1].status.message(), "b");
  EXPECT_EQ(answers[2].status.message(), "c");
  EXPECT_EQ(answers[2].index, 2u);
}

TEST_F(MasterStubTest, AHundredThousandKeysTravelInMessagesWithinTheLimit) {
  size_t items = 0;
  channel_.on_send = [&](const VerbRequest& request) {
    const KeyBatch& keys = std::get<Exists>(request.verb).keys;
    EXPECT_LE(keys.size(), kMaxBatchItems);
    items += keys.size();
    std::vector<ItemAnswer> answers;
    for (uint32_t i = 0; i < keys.size(); ++i) {
      answers.push_back({i, NotFoundError(std::string(keys[i]))});
    }
    channel_.Reply({request.id, std::move(answers), {}});
  };
  const KeyBatch keys = Keys(100'000);
  const auto answers = stub_.Ask({keys}, In(seconds(1)));
  EXPECT_EQ(items, 100'000u);
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(answers[i].status.message(), keys[i]);
    ASSERT_EQ(answers[i].index, i);
  }
}

TEST_F(MasterStubTest, LongKeysMakeMessagesOfFewerItems) {
  AnswerEverything();
  const auto answers = stub_.Ask({Keys(5000, kMaxKeyBytes)}, In(seconds(1)));
  EXPECT_EQ(answers.size(), 5000u);
  ASSERT_GE(channel_.sent.size(), 2u);
  for (const auto& sent : channel_.sent) {
    EXPECT_LT(std::get<Exists>(sent.request.verb).keys.bytes().size(), kMaxMessageBytes);
  }
}

TEST_F(MasterStubTest, EveryPartOfABatchKeepsItsOptionsAndNumbers) {
  AnswerEverything();
  const auto started = stub_.Start(Puts(5000), In(seconds(1)));
  EXPECT_EQ(started->NextWave().size(), kMaxBatchItems);
  const auto last = started->NextWave();
  ASSERT_EQ(last.size(), 5000 - kMaxBatchItems);
  EXPECT_EQ(last.back().index, 4999u);
  ASSERT_EQ(channel_.sent.size(), 2u);
  const StartPut& part = std::get<StartPut>(channel_.sent[1].request.verb);
  EXPECT_EQ(part.sequences.front(), 100 + kMaxBatchItems);
  EXPECT_EQ(part.sizes.back(), 1000u + 4999);
  EXPECT_EQ(part.replicas, 2u);
  EXPECT_TRUE(part.replace);
  EXPECT_EQ(part.placement, Placement::kSpread);
  EXPECT_EQ(part.preferred_nodes, std::vector<std::string>{"node-a"});

  Locate locate{.keys = Keys(5000), .want_lease = false};
  stub_.Find(std::move(locate), In(milliseconds(1)));
  EXPECT_FALSE(std::get<Locate>(channel_.sent.back().request.verb).want_lease);
}

TEST_F(MasterStubTest, PinsAreCutWithTheirOptions) {
  AnswerEverything();
  const auto answers =
      stub_.Keep(Pin{.keys = Keys(5000), .hard = true, .soft = seconds(9)}, In(seconds(1)));
  EXPECT_EQ(answers.size(), 5000u);
  ASSERT_EQ(channel_.sent.size(), 2u);
  const Pin& part = std::get<Pin>(channel_.sent[1].request.verb);
  EXPECT_EQ(part.keys.size(), 5000 - kMaxBatchItems);
  EXPECT_TRUE(part.hard);
  EXPECT_EQ(part.soft, seconds(9));
}

TEST_F(MasterStubTest, ARemovalByPrefixHasOneAnswerAndAsksAgainWithoutOne) {
  channel_.on_send = [&](const VerbRequest& request) {
    if (channel_.sent.size() < 2) return;
    channel_.Reply({request.id, std::vector<CountAnswer>{{0, Status::Ok(), 3}}, {}});
  };
  const CountAnswer answer = stub_.Sweep(RemoveMatching{"a/"}, In(seconds(10)));
  EXPECT_TRUE(answer.status.ok());
  EXPECT_EQ(answer.count, 3u);
  ASSERT_EQ(channel_.sent.size(), 2u);
  EXPECT_EQ(channel_.sent[0].request.id, channel_.sent[1].request.id);
  EXPECT_EQ(std::get<RemoveMatching>(channel_.sent[1].request.verb).prefix, "a/");
}

TEST_F(MasterStubTest, CommitsAreCutWithTheirChecksums) {
  AnswerEverything();
  CommitPut commit;
  for (uint64_t i = 0; i < 5000; ++i) {
    commit.sequences.push_back(i);
    commit.checksums.push_back(i * 3);
  }
  for (const ItemAnswer& answer : stub_.Commit(commit, In(seconds(1)))) {
    EXPECT_TRUE(answer.status.ok());
  }
  const CommitPut& part = std::get<CommitPut>(channel_.sent[1].request.verb);
  EXPECT_EQ(part.sequences.back(), 4999u);
  EXPECT_EQ(part.checksums.back(), 4999u * 3);
}

TEST_F(MasterStubTest, OnlyAFewMessagesAreUnansweredAtATime) {
  size_t unanswered = 0;
  size_t most = 0;
  channel_.on_send = [&](const VerbRequest& request) {
    most = std::max(most, ++unanswered);
    channel_.At(milliseconds(5), [&, request] {
      --unanswered;
      channel_.Reply(Answered(request));
    });
  };
  const auto answers = stub_.Ask({Keys(20 * kMaxBatchItems)}, In(seconds(1)));
  for (const ItemAnswer& answer : answers) ASSERT_TRUE(answer.status.ok());
  EXPECT_EQ(most, 4u);
}

// ---- StartPut in waves --------------------------------------------------------------------------

TEST_F(MasterStubTest, AnItemThatWaitsForRoomHoldsUpNeitherWaveNorAnswers) {
  channel_.on_send = [&](const VerbRequest& request) {
    channel_.Reply(Granted(request, 0, 2));
    channel_.At(milliseconds(500), [&, request] { channel_.Reply(Granted(request, 2, 3)); });
  };
  const TimePoint start = channel_.clock().Now();
  const auto started = stub_.Start(Puts(3), In(seconds(5)));
  EXPECT_EQ(started->NextWave().size(), 2u);
  EXPECT_EQ(Since(start), Duration::zero());
  const auto second = started->NextWave();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].index, 2u);
  EXPECT_TRUE(started->NextWave().empty());
}

TEST_F(MasterStubTest, TheNextStartMessageWaitsUntilTheOneBeforeIsHandedOut) {
  channel_.on_send = [&](const VerbRequest& request) {
    const auto half = static_cast<uint32_t>(ItemCount(request.verb) / 2);
    const auto all = static_cast<uint32_t>(ItemCount(request.verb));
    channel_.Reply(Granted(request, 0, half));
    channel_.At(milliseconds(10),
                [&, request, half, all] { channel_.Reply(Granted(request, half, all)); });
  };
  const auto started = stub_.Start(Puts(2 * kMaxBatchItems), In(seconds(5)));
  EXPECT_EQ(started->NextWave().size(), kMaxBatchItems / 2);
  EXPECT_EQ(started->NextWave().size(), kMaxBatchItems / 2);
  EXPECT_EQ(channel_.sent.size(), 1u);
  EXPECT_EQ(started->NextWave().front().index, kMaxBatchItems);
  EXPECT_EQ(channel_.sent.size(), 2u);
}

TEST_F(MasterStubTest, ParkedContainsTheTimeUntilTheItemWasAskedFor) {
  AnswerEverything();
  const auto started = stub_.Start(Puts(kMaxBatchItems + 1), In(seconds(30)));
  EXPECT_EQ(started->NextWave().front().parked, Duration::zero());
  channel_.fake_clock().Advance(seconds(7));  // the caller copies and commits
  EXPECT_EQ(started->NextWave().front().parked, seconds(7));
}

// ---- lost, repeated, late -----------------------------------------------------------------------

TEST_F(MasterStubTest, ARequestWithoutAnswerIsSentAgainUnderTheSameIdEverMoreRarely) {
  const TimePoint start = channel_.clock().Now();
  stub_.Ask({Keys(1)}, In(seconds(10)));
  std::vector<Duration> times;
  for (const auto& sent : channel_.sent) {
    times.push_back(sent.at - start);
    EXPECT_EQ(sent.request.id, channel_.sent[0].request.id);
  }
  EXPECT_EQ(times, (std::vector<Duration>{seconds(0), seconds(1), seconds(3), seconds(7)}));
  EXPECT_EQ(Since(start), seconds(10));
}

TEST_F(MasterStubTest, OnlyMessagesWithMissingAnswersAreSentAgain) {
  channel_.on_send = [&](const VerbRequest& request) {
    if (std::get<Exists>(request.verb).keys.size() == kMaxBatchItems) {
      channel_.Reply(Answered(request));
    }
  };
  const auto answers = stub_.Ask({Keys(kMaxBatchItems + 1)}, In(milliseconds(2500)));
  EXPECT_TRUE(answers[0].status.ok());
  EXPECT_FALSE(answers[kMaxBatchItems].status.ok());
  EXPECT_EQ(channel_.sent.size(), 3u);  // the short one twice
}

TEST_F(MasterStubTest, AReopenedStreamMakesItSendAtOnce) {
  const TimePoint start = channel_.clock().Now();
  channel_.At(milliseconds(100), [&] { channel_.Reconnect(); });
  channel_.on_send = [&](const VerbRequest& request) {
    if (channel_.epoch() == 2) channel_.Reply(Answered(request));
  };
  EXPECT_TRUE(stub_.Ask({Keys(1)}, In(seconds(10)))[0].status.ok());
  EXPECT_EQ(Since(start), milliseconds(100));
}

TEST_F(MasterStubTest, TheFirstAnswerCountsAndRepeatedOnesAreIgnored) {
  channel_.on_send = [&](const VerbRequest& request) {
    channel_.Reply(Granted(request, 0, 1));
    channel_.Reply(Granted(request, 0, 1));
    channel_.At(milliseconds(1), [&, request] {
      channel_.Reply(Granted(request, 0, 1));
      channel_.Reply(Granted(request, 0, 2));
    });
  };
  const auto started = stub_.Start(Puts(2), In(seconds(1)));
  EXPECT_EQ(started->NextWave().size(), 1u);
  const auto second = started->NextWave();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].index, 1u);
  EXPECT_TRUE(started->NextWave().empty());
}

TEST_F(MasterStubTest, AnswersThatMakeNoSenseAreIgnored) {
  channel_.on_send = [&](const VerbRequest& request) {
    channel_.Reply({request.id, std::vector<ItemAnswer>{{7, Status::Ok()}}, {}});      // no item 7
    channel_.Reply({request.id, std::vector<LocateAnswer>(1), {}});                    // not asked
    channel_.Reply({request.id + 9, std::vector<ItemAnswer>{{0, Status::Ok()}}, {}});  // whose?
    channel_.Reply({request.id, std::vector<ItemAnswer>{{0, NotFoundError("right")}}, {}});
  };
  EXPECT_EQ(stub_.Ask({Keys(1)}, In(seconds(1)))[0].status, NotFoundError("right"));
}

TEST_F(MasterStubTest, AnAnswerToAnEarlierCallDoesNotReachTheNext) {
  std::vector<VerbRequest> requests;
  channel_.on_send = [&](const VerbRequest& request) { requests.push_back(request); };
  stub_.Ask({Keys(1)}, In(milliseconds(10)));
  channel_.on_send = [&](const VerbRequest&) { channel_.Reply(Answered(requests[0])); };
  EXPECT_FALSE(stub_.Ask({Keys(1)}, In(milliseconds(10)))[0].status.ok());
}

TEST_F(MasterStubTest, AnswersThatComeAfterTheStubIsGoneAreDropped) {
  FakeChannel channel;
  { MasterStub gone(channel); }
  channel.Reply({1, std::vector<ItemAnswer>{{0, Status::Ok()}}, {}});
}

// ---- deadlines ----------------------------------------------------------------------------------

TEST_F(MasterStubTest, PatienceIsALittleShorterThanWhatIsLeft) {
  stub_.Ask({Keys(1)}, In(seconds(10)));
  EXPECT_EQ(channel_.sent[0].request.patience, seconds(9));
  EXPECT_EQ(channel_.sent[1].request.patience, milliseconds(8100));  // after 1 s
  channel_.sent.clear();
  stub_.Ask({Keys(1)}, In(milliseconds(100)));
  EXPECT_EQ(channel_.sent[0].request.patience, milliseconds(80));
  channel_.sent.clear();
  stub_.Ask({Keys(1)}, In(milliseconds(15)));
  EXPECT_EQ(channel_.sent[0].request.patience, Duration::zero());
}

TEST_F(MasterStubTest, AtTheDeadlineEachUnansweredItemSaysWhatMayHaveHappened) {
  channel_.on_send = [&](const VerbRequest& request) {
    if (ItemCount(request.verb) == 2) {
      channel_.Reply({request.id, std::vector<ItemAnswer>{{1, Status::Ok()}}, {}});
    }
  };
  const auto removed = stub_.Drop({Keys(2)}, In(seconds(1)));
  EXPECT_EQ(removed[0].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(removed[0].status.message(), HasSubstr("may have been removed"));
  EXPECT_TRUE(removed[1].status.ok());

  const auto committed = stub_.Commit({{1}, {2}, {}}, In(seconds(1)));
  EXPECT_EQ(committed[0].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(committed[0].status.message(), HasSubstr("may have been committed"));

  const auto asked = stub_.Ask({Keys(1)}, In(seconds(1)));
  EXPECT_EQ(asked[0].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(asked[0].status.message(), HasSubstr("1000 ms"));
}

TEST_F(MasterStubTest, StartedPutsThatTheDeadlineCatchesComeInTheLastWave) {
  channel_.on_send = [&](const VerbRequest& request) { channel_.Reply(Granted(request, 0, 1)); };
  const auto started = stub_.Start(Puts(3), In(seconds(1)));
  EXPECT_EQ(started->NextWave().size(), 1u);
  const auto last = started->NextWave();
  ASSERT_EQ(last.size(), 2u);
  EXPECT_EQ(last[0].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(last[1].index, 2u);
  EXPECT_TRUE(started->NextWave().empty());
}

TEST_F(MasterStubTest, WhereTheMasterWasNeverReachedNothingHappenedAndTheReasonIsGiven) {
  channel_.health_now = UnavailableError("connection refused");
  channel_.drops = true;
  const auto committed = stub_.Commit({{1}, {2}, {}}, In(seconds(1)));
  EXPECT_EQ(committed[0].status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(committed[0].status.message(), HasSubstr("connection refused"));
  EXPECT_THAT(committed[0].status.message(), HasSubstr("nothing happened"));
}

TEST_F(MasterStubTest, ACommitThatThereWasNoTimeToSendDidNotHappen) {
  const auto committed = stub_.Commit({{1}, {2}, {}}, In(Duration::zero()));
  EXPECT_EQ(committed[0].status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(committed[0].status.message(), HasSubstr("nothing happened"));
  EXPECT_TRUE(channel_.sent.empty());
}

TEST_F(MasterStubTest, WhereASendingMayHaveArrivedACommitMayHaveHappened) {
  channel_.health_now = UnavailableError("no session");  // but a stream that takes messages
  const auto committed = stub_.Commit({{1}, {2}, {}}, In(milliseconds(1)));
  EXPECT_EQ(committed[0].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(committed[0].status.message(), HasSubstr("may have been committed"));
}

TEST_F(MasterStubTest, AnAbortIsToldEvenAfterTheDeadline) {
  stub_.Abort({{5}}, In(-seconds(1)));
  ASSERT_EQ(channel_.sent.size(), 1u);
  EXPECT_EQ(std::get<AbortPut>(channel_.sent[0].request.verb).sequences, std::vector<uint64_t>{5});
  stub_.Ask({Keys(1)}, In(-seconds(1)));
  EXPECT_EQ(channel_.sent.size(), 1u);
}

TEST_F(MasterStubTest, WaitingForManyKeysTellsTheMasterOfAllOfThem) {
  size_t heard = 0;
  channel_.on_send = [&](const VerbRequest& request) {
    heard += ItemCount(request.verb);
    if (heard == 100'000) channel_.Reply(Answered(request));
  };
  const auto answers = stub_.Await({Keys(100'000)}, In(milliseconds(500)));
  EXPECT_EQ(heard, 100'000u);
  EXPECT_TRUE(answers.back().status.ok());
  EXPECT_EQ(answers.front().status.code(), StatusCode::kDeadlineExceeded);
}

// ---- another incarnation ------------------------------------------------------------------------

TEST_F(MasterStubTest, PutsOfAnEarlierIncarnationAreAborted) {
  channel_.on_send = [&](const VerbRequest& request) {
    channel_.Reply(Granted(request, 0, 1));
    channel_.At(milliseconds(1), [&] {
      channel_.incarnation_now = {2, 2};
      channel_.Reconnect();
    });
  };
  const auto started = stub_.Start(Puts(2), In(seconds(10)));
  EXPECT_TRUE(started->NextWave()[0].status.ok());
  const auto last = started->NextWave();
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].status.code(), StatusCode::kAborted);
  EXPECT_EQ(channel_.sent.size(), 1u);
}

TEST_F(MasterStubTest, ACommitCaughtByAChangeOfIncarnationMayHaveHappened) {
  channel_.on_send = [&](const VerbRequest& request) {
    // The answer that a repetition as another incarnation would get is not about this put.
    channel_.At(milliseconds(1), [&, request] {
      channel_.incarnation_now = {2, 2};
      channel_.Reply({request.id, std::vector<ItemAnswer>{{0, AbortedError("unknown")}}, {}});
    });
  };
  const auto committed = stub_.Commit({{1}, {2}, {}}, In(seconds(10)));
  EXPECT_EQ(committed[0].status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(committed[0].status.message(), HasSubstr("may have been committed"));
}

TEST_F(MasterStubTest, ReadingGoesOnAsAnotherIncarnation) {
  channel_.on_send = [&](const VerbRequest& request) {
    if (channel_.incarnation_now == Incarnation{2, 2}) channel_.Reply(Answered(request));
    channel_.At(milliseconds(1), [&] {
      channel_.incarnation_now = {2, 2};
      channel_.Reconnect();
    });
  };
  EXPECT_TRUE(stub_.Ask({Keys(1)}, In(seconds(10)))[0].status.ok());
}

// ---- ids and peers ------------------------------------------------------------------------------

TEST_F(MasterStubTest, SequencesAndRequestIdsAreNeverTheSameTwice) {
  const uint64_t first = stub_.NewSequences(10);
  EXPECT_GE(stub_.NewSequences(1), first + 10);

  AnswerEverything();
  stub_.Ask({Keys(kMaxBatchItems + 1)}, In(seconds(1)));
  stub_.Drop({Keys(1)}, In(seconds(1)));
  std::set<uint64_t> ids;
  for (const auto& sent : channel_.sent) ids.insert(sent.request.id);
  EXPECT_EQ(ids.size(), 3u);
}

TEST_F(MasterStubTest, PeersAreLearnedFromReplies) {
  const Peer peer{{7, 7}, "node-a", "host-a", "tcp:1"};
  EXPECT_FALSE(stub_.FindPeer({7, 7}).has_value());
  channel_.Reply({99, std::vector<ItemAnswer>{}, {peer}});  // even from a late one
  EXPECT_EQ(stub_.FindPeer({7, 7}), peer);
  Peer moved = peer;
  moved.descriptor = "tcp:2";
  channel_.Reply({99, std::vector<ItemAnswer>{}, {moved}});
  EXPECT_EQ(stub_.FindPeer({7, 7}), moved);
}

TEST_F(MasterStubTest, OnlyTheNewestPeersAreKept) {
  std::vector<Peer> peers;
  for (uint64_t i = 1; i <= 20'000; ++i) peers.push_back({{i, 1}, "n", "h", "d"});
  channel_.Reply({99, std::vector<ItemAnswer>{}, std::move(peers)});
  EXPECT_FALSE(stub_.FindPeer({1, 1}).has_value());
  EXPECT_TRUE(stub_.FindPeer({20'000, 1}).has_value());
}

// ---- over reigns --------------------------------------------------------------------------------

class RemoveOverTerms : public MasterStubTest {
 protected:
  // The first sending gets no answer; to the second, in `second_term`, there is no such key.
  Status Remove(uint64_t second_term) {
    channel_.on_send = [&, second_term](const VerbRequest& request) {
      if (channel_.sent.size() == 1) {
        channel_.At(milliseconds(10), [&, second_term] {
          channel_.term_now = second_term;
          channel_.Reconnect();
        });
        return;
      }
      channel_.Reply({request.id, std::vector<ItemAnswer>{{0, NotFoundError("no object")}}, {}});
    };
    return stub_.Drop({Keys(1)}, In(seconds(5)))[0].status;
  }
};

TEST_F(RemoveOverTerms, ARemoveThatAnEarlierMasterMayHaveCarriedOutIsDone) {
  EXPECT_EQ(Remove(2), Status::Ok());
  EXPECT_EQ(channel_.sent.size(), 2u);
}

TEST_F(RemoveOverTerms, TheSameMasterKnowsWhatItAnswered) {
  EXPECT_EQ(Remove(1).code(), StatusCode::kNotFound);
}

// The channel's term changes between the caller's look at it and the sending.
TEST_F(RemoveOverTerms, TheTermsAreThoseOfTheStreamsThatWereUsed) {
  const auto no_object = [&](const VerbRequest& request) {
    channel_.Reply({request.id, std::vector<ItemAnswer>{{0, NotFoundError("no object")}}, {}});
  };
  const auto next_reigns = [&] { channel_.term_now = 2; };
  channel_.on_send = [&](const VerbRequest& request) {
    if (channel_.sent.size() == 2) return no_object(request);
    channel_.before_send = next_reigns;
  };
  EXPECT_EQ(stub_.Drop({Keys(1)}, In(seconds(5)))[0].status, Status::Ok());

  channel_.term_now = 1;
  channel_.sent.clear();
  channel_.before_send = next_reigns;
  channel_.on_send = [&](const VerbRequest& request) {
    if (channel_.sent.size() == 2) no_object(request);
  };
  EXPECT_EQ(stub_.Drop({Keys(1)}, In(seconds(5)))[0].status.code(), StatusCode::kNotFound);
}

TEST_F(RemoveOverTerms, WhatNeverReachedTheEarlierMasterIsNotFoundByTheNext) {
  channel_.drops = true;
  channel_.on_send = nullptr;
  channel_.At(milliseconds(10), [&] {
    channel_.term_now = 2;
    channel_.drops = false;
    channel_.on_send = [&](const VerbRequest& request) {
      channel_.Reply({request.id, std::vector<ItemAnswer>{{0, NotFoundError("no object")}}, {}});
    };
    channel_.Reconnect();
  });
  EXPECT_EQ(stub_.Drop({Keys(1)}, In(seconds(5)))[0].status.code(), StatusCode::kNotFound);
}

// The next master's grant may be short, and must not seem to be over.
TEST_F(MasterStubTest, AnAnswerOfTheNextMasterCountsFromWhenThatWasAsked) {
  channel_.on_send = [&](const VerbRequest& request) {
    if (channel_.term_now == 2) channel_.Reply(Granted(request));
  };
  channel_.At(seconds(20), [&] {
    channel_.term_now = 2;
    channel_.Reconnect();
  });
  const auto started = stub_.Start(Puts(1), In(seconds(30)));
  const std::vector<StartPutAnswer> wave = started->NextWave();
  ASSERT_EQ(wave.size(), 1u);
  EXPECT_EQ(wave[0].parked, seconds(20));
}

TEST_F(MasterStubTest, AnAnswerOfTheSameMasterCountsFromWhenItWasFirstAsked) {
  channel_.on_send = [&](const VerbRequest& request) {
    if (channel_.epoch() == 2) channel_.Reply(Granted(request));
  };
  channel_.At(seconds(20), [&] { channel_.Reconnect(); });
  const auto started = stub_.Start(Puts(1), In(seconds(30)));
  EXPECT_EQ(started->NextWave().at(0).parked, Duration::zero());
}

// ---- a master that is lost ----------------------------------------------------------------------

TEST_F(MasterStubTest, ALostMasterIsWaitedForNoLongerThanThatIsWorth) {
  channel_.At(seconds(2), [&] { channel_.LoseMaster(seconds(5)); });
  const TimePoint began = channel_.clock().Now();
  const Status read = stub_.Ask({Keys(1)}, In(seconds(30)))[0].status;
  EXPECT_EQ(Since(began), seconds(7));
  EXPECT_EQ(read.code(), StatusCode::kUnavailable);
  EXPECT_THAT(read.message(), HasSubstr("(the master is lost); nothing happened"));
  // Whoever comes later does not wait anew.
  EXPECT_EQ(stub_.Ask({Keys(1)}, In(seconds(30)))[0].status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(stub_.Start(Puts(1), In(seconds(30)))->NextWave().at(0).status.code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(Since(began), seconds(7));
}

TEST_F(MasterStubTest, WhatALostMasterMayHaveDoneIsSaid) {
  channel_.At(seconds(2), [&] { channel_.LoseMaster(seconds(5)); });
  const TimePoint began = channel_.clock().Now();
  const Status removed = stub_.Drop({Keys(1)}, In(seconds(30)))[0].status;
  EXPECT_EQ(Since(began), seconds(7));
  EXPECT_EQ(removed.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(removed.message(), HasSubstr("it may have been removed"));
}

TEST_F(MasterStubTest, AMasterThatComesBackInTimeAnswersWhoWaitedForIt) {
  channel_.At(seconds(2), [&] { channel_.LoseMaster(seconds(5)); });
  channel_.At(seconds(6), [&] {
    channel_.health_now = Status::Ok();
    channel_.gives_up_now.reset();
    channel_.drops = false;
    AnswerEverything();
    channel_.Reconnect();
  });
  EXPECT_EQ(stub_.Ask({Keys(1)}, In(seconds(30)))[0].status, Status::Ok());
}

TEST_F(MasterStubTest, PatienceIsNotLongerThanTheDeadline) {
  channel_.At(seconds(2), [&] { channel_.LoseMaster(seconds(5)); });
  const TimePoint began = channel_.clock().Now();
  const Status read = stub_.Ask({Keys(1)}, In(seconds(3)))[0].status;
  EXPECT_EQ(Since(began), seconds(3));
  EXPECT_EQ(read.code(), StatusCode::kDeadlineExceeded);
}

TEST_F(MasterStubTest, APauseLastsUntilItsEndWhateverHappens) {
  channel_.At(milliseconds(10), [&] { channel_.Reconnect(); });
  const TimePoint began = channel_.clock().Now();
  stub_.Pause(In(milliseconds(50)));
  EXPECT_EQ(Since(began), milliseconds(50));
}

}  // namespace
}  // namespace kvstore::client
