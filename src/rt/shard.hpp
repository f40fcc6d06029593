#pragma once
// A shard: one thread with one event loop (Asio). What belongs to a shard is touched by its thread alone.

#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/executor.hpp"

namespace doorbuster::rt {

class Shard final : public Executor {
 public:
  /// \param name of the thread, shown by `top -H`: "io-0". At most 15 characters.
  explicit Shard(std::string name);
  /// stop() must have been called, or start() never.
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Starts the thread; the loop runs until stop() even when it has nothing to do.
  void start();
  /// Ends the loop after the handler that runs now, and joins the thread. Not from the shard itself.
  /// What is still posted is destroyed unrun.
  void stop();

  void post(Work work) override;
  void defer(Work work) override;
  void after(Duration delay, Work work) override;
  /// Runs `work` on the shard and waits for it; inline when called on the shard. For start and stop, not for
  /// requests.
  void run(Work work);
  bool on_this_thread() const { return thread_.get_id() == std::this_thread::get_id(); }

  boost::asio::io_context& context() { return context_; }

 private:
  void end_turn();

  std::string name_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_{context_.get_executor()};
  std::vector<Work> turn_end_;
  bool turn_end_posted_ = false;
  std::thread thread_;
};

}  // namespace doorbuster::rt
