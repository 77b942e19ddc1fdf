"""kvstore-pd-proxy.

    main      the process: ports, signals, its end      options   the command line
    front     what is served by which path              pair      prefill, then decode: the whole
              story
    relay     a worker's answer on its way to the client
    attempt   one request to one worker                 workers   who they are, which one is next
    health    who of them is there                      body      what is asked of prefill
    events    server-sent events                        answers   errors, as OpenAI's API has them
    metrics   what is counted                           log       what is said

All of it runs on one event loop.
"""
