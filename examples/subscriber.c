/* Prints what whoplays publishes, one JSON object a line, until it is interrupted.
 *
 *     cc -o subscriber subscriber.c -lzmq
 *     ./subscriber tcp://127.0.0.1:9460 whoplays/1/hall/event/
 */
#include <stdio.h>
#include <string.h>
#include <zmq.h>

int main(int count, char **arguments) {
    const char *endpoint = count > 1 ? arguments[1] : "tcp://127.0.0.1:9460";
    const char *topic = count > 2 ? arguments[2] : "whoplays/1/";
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_SUB);
    if (zmq_setsockopt(socket, ZMQ_SUBSCRIBE, topic, strlen(topic)) || zmq_connect(socket, endpoint)) {
        fprintf(stderr, "%s: %s\n", endpoint, zmq_strerror(zmq_errno()));
        return 1;
    }
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, socket, 0) >= 0) {
        if (zmq_msg_more(&frame))
            continue; /* The topic: the JSON object that follows says the same. */
        fwrite(zmq_msg_data(&frame), 1, zmq_msg_size(&frame), stdout);
        putchar('\n');
        fflush(stdout);
    }
    fprintf(stderr, "%s: %s\n", endpoint, zmq_strerror(zmq_errno()));
    return 1;
}
